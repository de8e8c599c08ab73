package wasm

// instruction is one decoded instruction. What its fields mean depends on the
// opcode's immediate.
type instruction struct {
	op         opcode
	start, end int // offsets in the module

	index  uint32 // label, function, local, global, type, table, segment, alignment
	second uint32 // table of call_indirect and table.init, source of table.copy, lane
	number int64  // of i32.const and i64.const
	block  blockType
	typ    ValType // of ref.null and a typed select

	targets []uint32 // of br_table, the default last; valid until the next one
}

// blockType is a type index, or for index < 0 one result or none.
type blockType struct {
	index  int32
	result ValType // zero: none
}

// walker reads the instructions of a function body or constant expression. All
// that looks at code goes through it: validation, metering, shifting of indices
// and the search for what cannot be reset.
type walker struct {
	reader
	instruction
	limits *Limits
}

// next reads one instruction and reports whether there was one. Without one,
// either the end is reached or err is set.
func (w *walker) next() bool {
	pos := w.pos
	if pos >= len(w.data) {
		return false
	}
	w.start = pos
	w.op = opcode(w.data[pos])
	pos++
	w.pos = pos
	switch imm := immediates[w.op]; {
	case imm == immNone:
		w.end = pos
		return true
	case imm == immIndex && pos < len(w.data) && w.data[pos] < 0x80: // most are
		w.index = uint32(w.data[pos])
		w.pos = pos + 1
	default:
		w.otherImmediates(imm)
	}
	w.end = w.pos
	return w.err == nil
}

func (w *walker) otherImmediates(imm immediate) {
	if imm == immPrefix {
		w.prefixed()
		imm = immediates[w.op]
	}
	if imm == immUnknown {
		w.failAt(w.start, "%s", w.op)
		return
	}
	w.immediates(imm)
}

// prefixed reads the number behind a prefix. A vector instruction must have it
// in its shortest form, because engines read it as one byte.
func (w *walker) prefixed() {
	base := miscOps
	if w.op == vectorPrefix {
		base = vectorOps
	}
	start := w.pos
	n := w.u32()
	shortest := 1
	if n >= 0x80 {
		shortest = 2
	}
	switch {
	case n > 0xff:
		w.failAt(w.start, "unknown instruction %#x %#x", byte(w.op), n)
	case base == vectorOps && w.pos-start != shortest:
		w.failAt(w.start, "vector instruction %#x is not in its shortest form", n)
	default:
		w.op = base + opcode(n)
	}
}

func (w *walker) immediates(imm immediate) {
	switch imm {
	case immNone:
	case immIndex:
		w.index = w.u32()
	case immMemArg:
		w.memArg()
	case immI32:
		w.number = w.sleb(32)
	case immI64:
		w.number = w.sleb(64)
	case imm4Bytes:
		w.bytes(4)
	case imm8Bytes:
		w.bytes(8)
	case imm16Bytes:
		w.bytes(16)
	case immBlock:
		w.blockType()
	case immLabels:
		w.labels()
	case immTypeTable, immTwoIndices:
		w.index = w.u32()
		w.second = w.u32()
	default:
		w.rareImmediates(imm)
	}
}

func (w *walker) rareImmediates(imm immediate) {
	switch imm {
	case immZero:
		w.zero()
	case immZeroZero:
		w.zero()
		w.zero()
	case immIndexZero:
		w.index = w.u32()
		w.zero()
	case immMemArgLane:
		w.memArg()
		w.lane(16 >> operations[w.op].bits)
	case immLane:
		w.lane(operations[w.op].bits)
	case immShuffle:
		for range 16 {
			w.lane(32)
		}
	case immTypes:
		if n := w.u32(); n != 1 {
			w.failAt(w.start, "typed select with %d types: it must have one", n)
		}
		w.typ = w.valType()
	case immRefType:
		w.typ = w.refType()
	}
}

// zero is the index of the only memory.
func (w *walker) zero() {
	if b := w.byte(); b != 0 {
		w.failAt(w.start, "%s: memory index byte is %#x: only memory 0 exists", w.op, b)
	}
}

func (w *walker) lane(lanes byte) {
	w.second = uint32(w.byte())
	if w.second >= uint32(lanes) {
		w.failAt(w.start, "%s: lane %d of %d", w.op, w.second, lanes)
	}
}

func (w *walker) memArg() {
	bits := operations[w.op].bits
	w.index = w.u32()
	w.u32() // the offset: any is valid
	if w.index > uint32(bits) {
		w.failAt(w.start, "%s: alignment 2^%d is larger than natural 2^%d", w.op, w.index, bits)
	}
}

func (w *walker) blockType() {
	const empty = 0x40
	w.block = blockType{index: -1}
	if w.pos < len(w.data) {
		switch b := ValType(w.data[w.pos]); {
		case b == empty:
			w.pos++
			return
		case b.valid():
			w.block.result = b
			w.pos++
			return
		}
	}
	n := w.sleb(33)
	if n < 0 || n > 1<<31-1 {
		w.failAt(w.start, "%s: unknown block type %#x", w.op, n)
	}
	w.block.index = int32(n)
}

func (w *walker) labels() {
	n := w.count("br_table targets", w.limits.BranchTargets)
	w.targets = w.targets[:0]
	for range n + 1 {
		if w.err != nil {
			return
		}
		w.targets = append(w.targets, w.u32())
	}
}
