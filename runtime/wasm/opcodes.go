package wasm

import (
	"fmt"
	"strings"
)

// opcode is an instruction: its byte, or for the prefixes 0xFC and 0xFD the
// number behind it plus miscOps or vectorOps.
type opcode uint16

const (
	miscOps   opcode = 0x100
	vectorOps opcode = 0x200
	opcodeEnd opcode = 0x300

	miscPrefix   = 0xfc
	vectorPrefix = 0xfd
)

const (
	opUnreachable  opcode = 0x00
	opNop          opcode = 0x01
	opBlock        opcode = 0x02
	opLoop         opcode = 0x03
	opIf           opcode = 0x04
	opElse         opcode = 0x05
	opEnd          opcode = 0x0b
	opBr           opcode = 0x0c
	opBrIf         opcode = 0x0d
	opBrTable      opcode = 0x0e
	opReturn       opcode = 0x0f
	opCall         opcode = 0x10
	opCallIndirect opcode = 0x11
	opDrop         opcode = 0x1a
	opSelect       opcode = 0x1b
	opSelectTyped  opcode = 0x1c
	opLocalGet     opcode = 0x20
	opLocalSet     opcode = 0x21
	opLocalTee     opcode = 0x22
	opGlobalGet    opcode = 0x23
	opGlobalSet    opcode = 0x24
	opTableGet     opcode = 0x25
	opTableSet     opcode = 0x26
	opMemorySize   opcode = 0x3f
	opMemoryGrow   opcode = 0x40
	opI32Const     opcode = 0x41
	opI64Const     opcode = 0x42
	opF32Const     opcode = 0x43
	opF64Const     opcode = 0x44
	opI64LtS       opcode = 0x53
	opI64GeS       opcode = 0x59
	opI32LeU       opcode = 0x4d
	opI64Add       opcode = 0x7c
	opI64Sub       opcode = 0x7d
	opI64Or        opcode = 0x84
	opI64Shl       opcode = 0x86
	opI64ShrU      opcode = 0x88
	opI64ExtendI32 opcode = 0xad // unsigned
	opRefNull      opcode = 0xd0
	opRefIsNull    opcode = 0xd1
	opRefFunc      opcode = 0xd2

	opMemoryInit opcode = miscOps + 8
	opDataDrop   opcode = miscOps + 9
	opMemoryCopy opcode = miscOps + 10
	opMemoryFill opcode = miscOps + 11
	opTableInit  opcode = miscOps + 12
	opElemDrop   opcode = miscOps + 13
	opTableCopy  opcode = miscOps + 14
	opTableGrow  opcode = miscOps + 15
	opTableSize  opcode = miscOps + 16
	opTableFill  opcode = miscOps + 17

	opV128Const opcode = vectorOps + 12
	opShuffle   opcode = vectorOps + 13
)

// immediate is what follows an opcode.
type immediate byte

const (
	immUnknown immediate = iota // no such instruction
	immPrefix
	immNone
	immBlock
	immLabels
	immIndex      // label, function, local, global, table, segment
	immTypeTable  // type, then table
	immTwoIndices // segment and table, or two tables
	immTypes      // of a typed select
	immMemArg
	immMemArgLane
	immLane
	immZero      // the memory's index
	immZeroZero  // two of it
	immIndexZero // a data segment, then the memory's index
	immI32
	immI64
	imm4Bytes
	imm8Bytes
	imm16Bytes
	immShuffle
	immRefType
)

// operation is all that is known of an opcode.
type operation struct {
	name string
	imm  immediate
	// pops and result are the types of a plain operation: one that neither
	// touches control nor the module's index spaces.
	pops   [3]ValType
	npops  uint8
	result ValType
	plain  bool
	// bits is log2 of the bytes that memory operations touch, or for lane
	// operations the number of lanes.
	bits   uint8
	weight uint8 // see weights.go
}

// operations is indexed by opcode; unknown ones have no name. immediates repeats
// a field of it, densely.
var (
	operations = tabulate()
	immediates = tabulateImmediates(&operations)
)

func tabulateImmediates(table *[opcodeEnd]operation) (list [opcodeEnd]immediate) {
	for i := range table {
		list[i] = table[i].imm
	}
	list[miscPrefix], list[vectorPrefix] = immPrefix, immPrefix
	return list
}

// group lists consecutive opcodes with the same shape, names separated by
// blanks and "_" for one that does not exist. A signature has one letter per
// popped type, a colon and one for the result: i, l, f, d, v are i32, i64, f32,
// f64, v128. A signature without a colon is not plain.
type group struct {
	first     opcode
	imm       immediate
	signature string
	bits      uint8
	names     string
}

func tabulate() (table [opcodeEnd]operation) {
	for _, list := range [][]group{controlGroups, memoryGroups, numericGroups, miscGroups, vectorMemoryGroups, vectorGroups} {
		for _, g := range list {
			g.fill(&table)
		}
	}
	weigh(&table)
	return table
}

func (g group) fill(table *[opcodeEnd]operation) {
	for i, name := range strings.Fields(g.names) {
		if name == "_" {
			continue
		}
		op := operation{name: name, imm: g.imm, bits: g.bits}
		pops, result, plain := strings.Cut(g.signature, ":")
		op.plain = plain
		op.npops = uint8(copy(op.pops[:], letters(pops)))
		if result != "" {
			op.result = letters(result)[0]
		}
		table[g.first+opcode(i)] = op
	}
}

func letters(s string) (types []ValType) {
	for _, c := range s {
		types = append(types, map[rune]ValType{'i': I32, 'l': I64, 'f': F32, 'd': F64, 'v': V128}[c])
	}
	return types
}

func (op opcode) String() string {
	if op < opcodeEnd && operations[op].name != "" {
		return operations[op].name
	}
	switch {
	case op >= vectorOps:
		return fmt.Sprintf("unknown instruction 0xfd %#x", uint16(op-vectorOps))
	case op >= miscOps:
		return fmt.Sprintf("unknown instruction 0xfc %#x", uint16(op-miscOps))
	}
	return fmt.Sprintf("unknown instruction %#x", uint16(op))
}

var controlGroups = []group{
	{0x00, immNone, "", 0, "unreachable"},
	{0x01, immNone, ":", 0, "nop"},
	{0x02, immBlock, "", 0, "block loop if"},
	{0x05, immNone, "", 0, "else"},
	{0x0b, immNone, "", 0, "end"},
	{0x0c, immIndex, "", 0, "br br_if"},
	{0x0e, immLabels, "", 0, "br_table"},
	{0x0f, immNone, "", 0, "return"},
	{0x10, immIndex, "", 0, "call"},
	{0x11, immTypeTable, "", 0, "call_indirect"},
	{0x1a, immNone, "", 0, "drop select"},
	{0x1c, immTypes, "", 0, "select"},
	{0x20, immIndex, "", 0, "local.get local.set local.tee global.get global.set table.get table.set"},
	{0xd0, immRefType, "", 0, "ref.null"},
	{0xd1, immNone, "", 0, "ref.is_null"},
	{0xd2, immIndex, "", 0, "ref.func"},
}

var memoryGroups = []group{
	{0x28, immMemArg, "i:i", 2, "i32.load"},
	{0x29, immMemArg, "i:l", 3, "i64.load"},
	{0x2a, immMemArg, "i:f", 2, "f32.load"},
	{0x2b, immMemArg, "i:d", 3, "f64.load"},
	{0x2c, immMemArg, "i:i", 0, "i32.load8_s i32.load8_u"},
	{0x2e, immMemArg, "i:i", 1, "i32.load16_s i32.load16_u"},
	{0x30, immMemArg, "i:l", 0, "i64.load8_s i64.load8_u"},
	{0x32, immMemArg, "i:l", 1, "i64.load16_s i64.load16_u"},
	{0x34, immMemArg, "i:l", 2, "i64.load32_s i64.load32_u"},
	{0x36, immMemArg, "ii:", 2, "i32.store"},
	{0x37, immMemArg, "il:", 3, "i64.store"},
	{0x38, immMemArg, "if:", 2, "f32.store"},
	{0x39, immMemArg, "id:", 3, "f64.store"},
	{0x3a, immMemArg, "ii:", 0, "i32.store8"},
	{0x3b, immMemArg, "ii:", 1, "i32.store16"},
	{0x3c, immMemArg, "il:", 0, "i64.store8"},
	{0x3d, immMemArg, "il:", 1, "i64.store16"},
	{0x3e, immMemArg, "il:", 2, "i64.store32"},
	{0x3f, immZero, ":i", 0, "memory.size"},
	{0x40, immZero, "i:i", 0, "memory.grow"},
}

var numericGroups = []group{
	{0x41, immI32, ":i", 0, "i32.const"},
	{0x42, immI64, ":l", 0, "i64.const"},
	{0x43, imm4Bytes, ":f", 0, "f32.const"},
	{0x44, imm8Bytes, ":d", 0, "f64.const"},
	{0x45, immNone, "i:i", 0, "i32.eqz"},
	{0x46, immNone, "ii:i", 0, "i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u"},
	{0x50, immNone, "l:i", 0, "i64.eqz"},
	{0x51, immNone, "ll:i", 0, "i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u"},
	{0x5b, immNone, "ff:i", 0, "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge"},
	{0x61, immNone, "dd:i", 0, "f64.eq f64.ne f64.lt f64.gt f64.le f64.ge"},
	{0x67, immNone, "i:i", 0, "i32.clz i32.ctz i32.popcnt"},
	{0x6a, immNone, "ii:i", 0, "i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"},
	{0x79, immNone, "l:l", 0, "i64.clz i64.ctz i64.popcnt"},
	{0x7c, immNone, "ll:l", 0, "i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"},
	{0x8b, immNone, "f:f", 0, "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt"},
	{0x92, immNone, "ff:f", 0, "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign"},
	{0x99, immNone, "d:d", 0, "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt"},
	{0xa0, immNone, "dd:d", 0, "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign"},
	{0xa7, immNone, "l:i", 0, "i32.wrap_i64"},
	{0xa8, immNone, "f:i", 0, "i32.trunc_f32_s i32.trunc_f32_u"},
	{0xaa, immNone, "d:i", 0, "i32.trunc_f64_s i32.trunc_f64_u"},
	{0xac, immNone, "i:l", 0, "i64.extend_i32_s i64.extend_i32_u"},
	{0xae, immNone, "f:l", 0, "i64.trunc_f32_s i64.trunc_f32_u"},
	{0xb0, immNone, "d:l", 0, "i64.trunc_f64_s i64.trunc_f64_u"},
	{0xb2, immNone, "i:f", 0, "f32.convert_i32_s f32.convert_i32_u"},
	{0xb4, immNone, "l:f", 0, "f32.convert_i64_s f32.convert_i64_u"},
	{0xb6, immNone, "d:f", 0, "f32.demote_f64"},
	{0xb7, immNone, "i:d", 0, "f64.convert_i32_s f64.convert_i32_u"},
	{0xb9, immNone, "l:d", 0, "f64.convert_i64_s f64.convert_i64_u"},
	{0xbb, immNone, "f:d", 0, "f64.promote_f32"},
	{0xbc, immNone, "f:i", 0, "i32.reinterpret_f32"},
	{0xbd, immNone, "d:l", 0, "i64.reinterpret_f64"},
	{0xbe, immNone, "i:f", 0, "f32.reinterpret_i32"},
	{0xbf, immNone, "l:d", 0, "f64.reinterpret_i64"},
	{0xc0, immNone, "i:i", 0, "i32.extend8_s i32.extend16_s"},
	{0xc2, immNone, "l:l", 0, "i64.extend8_s i64.extend16_s i64.extend32_s"},
}

var miscGroups = []group{
	{miscOps + 0, immNone, "f:i", 0, "i32.trunc_sat_f32_s i32.trunc_sat_f32_u"},
	{miscOps + 2, immNone, "d:i", 0, "i32.trunc_sat_f64_s i32.trunc_sat_f64_u"},
	{miscOps + 4, immNone, "f:l", 0, "i64.trunc_sat_f32_s i64.trunc_sat_f32_u"},
	{miscOps + 6, immNone, "d:l", 0, "i64.trunc_sat_f64_s i64.trunc_sat_f64_u"},
	{opMemoryInit, immIndexZero, "", 0, "memory.init"},
	{opDataDrop, immIndex, "", 0, "data.drop"},
	{opMemoryCopy, immZeroZero, "iii:", 0, "memory.copy"},
	{opMemoryFill, immZero, "iii:", 0, "memory.fill"},
	{opTableInit, immTwoIndices, "", 0, "table.init"},
	{opElemDrop, immIndex, "", 0, "elem.drop"},
	{opTableCopy, immTwoIndices, "", 0, "table.copy"},
	{opTableGrow, immIndex, "", 0, "table.grow table.size table.fill"},
}
