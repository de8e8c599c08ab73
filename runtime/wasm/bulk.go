package wasm

// The instructions of the validator that work on tables and segments.

func (v *validator) bulk() {
	v.cost.bulk()
	switch v.op {
	case opTableGet, opTableSet, opTableGrow, opTableSize, opTableFill:
		v.tableOp(v.tableAt(v.index).Type)
	case opTableInit, opTableCopy:
		v.tableRange()
	case opElemDrop:
		v.elementAt(v.index)
		v.m.facts.MutatesTables = true
	case opMemoryInit:
		v.needMemory()
		v.dataAt(v.index)
		v.m.facts.UsesMemoryInit = true
		v.popAll(threeI32)
		v.clobber()
	case opDataDrop:
		v.dataAt(v.index)
		v.m.facts.DropsData = true
	}
}

var threeI32 = []ValType{I32, I32, I32}

func (v *validator) tableOp(t ValType) {
	switch v.op {
	case opTableGet:
		v.popType(I32)
		v.push(t)
	case opTableSet:
		v.popType(t)
		v.popType(I32)
	case opTableGrow:
		v.popType(I32)
		v.popType(t)
		v.push(I32)
	case opTableSize:
		v.push(I32)
	case opTableFill:
		v.popType(I32)
		v.popType(t)
		v.popType(I32)
	}
	if v.op != opTableGet && v.op != opTableSize {
		v.m.facts.MutatesTables = true
		v.clobber()
	}
}

func (v *validator) tableRange() {
	var from, to ValType
	if v.op == opTableInit {
		from, to = v.elementAt(v.index), v.tableAt(v.second).Type
	} else {
		from, to = v.tableAt(v.second).Type, v.tableAt(v.index).Type
	}
	if from != to && v.err == nil {
		v.failAt(v.start, "type mismatch: %s from %s to %s", v.op, from, to)
	}
	v.popAll(threeI32)
	v.m.facts.MutatesTables = true
	v.clobber()
}

func (v *validator) elementAt(i uint32) ValType {
	if uint64(i) >= uint64(len(v.m.elements)) {
		v.failAt(v.start, "unknown element segment %d of %d", i, len(v.m.elements))
		return FuncRef
	}
	return v.m.elements[i].typ
}

func (v *validator) dataAt(i uint32) {
	switch {
	case !v.m.hasDataCount:
		v.failAt(v.start, "data count section required by %s", v.op)
	case i >= v.m.dataCount:
		v.failAt(v.start, "unknown data segment %d of %d", i, v.m.dataCount)
	}
}
