package wasm

// Weights of instructions in units of metering. A unit is about what the
// simplest instruction costs, a third of a nanosecond. The figures are ours:
// changing one changes the units that are accounted for the same work.
const (
	weightDefault = 1
	weightCall    = 24 // covers the body of a small leaf, which is not metered
	weightImport  = 100
	weightBulk    = 16 // beside what their length costs
	weightGrow    = 100
	weightDivide  = 8
	weightMemory  = 2
	weightVector  = 2

	byteShift = 3 // 8 bytes of memory cost one unit, as does one table entry
	growShift = 8 // a new page of memory costs 256
)

// weigh fills in the static weights.
func weigh(table *[opcodeEnd]operation) {
	for i := range table {
		table[i].weight = weightOf(opcode(i), &table[i])
	}
}

func weightOf(op opcode, o *operation) uint8 {
	switch {
	case op == opNop || op == opBlock || op == opLoop || op == opElse || op == opEnd || op == opDrop:
		return 0
	case op == opCall || op == opCallIndirect:
		return weightCall
	case op == opMemoryGrow || op == opTableGrow || op == opRefFunc:
		return weightGrow
	case op >= opMemoryInit && op <= opTableFill:
		return weightBulk
	case o.imm == immMemArg || o.imm == immMemArgLane:
		return weightMemory
	case op >= vectorOps:
		return weightVector
	case op >= 0x6d && op <= 0x70 || op >= 0x7f && op <= 0x82: // integer division
		return weightDivide
	case op >= 0x91 && op <= 0xa6 && (op == 0x95 || op == 0xa3 || op == 0x91 || op == 0x9f): // float division, roots
		return weightDivide
	}
	return weightDefault
}
