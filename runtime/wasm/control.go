package wasm

// The control instructions of the validator.

func (v *validator) control() {
	switch v.op {
	case opUnreachable:
		v.flow.leave(len(v.types))
		v.neverReached()
	case opBlock, opLoop, opIf:
		v.open()
	case opElse:
		v.otherwise()
	case opEnd:
		v.close()
	case opBr:
		f := v.label(v.index)
		v.cost.branch(f)
		v.popAll(f.labelTypes())
		v.flow.branch(opBr, len(v.types), v.index)
		v.neverReached()
	case opBrIf:
		v.popType(I32)
		f := v.label(v.index)
		v.cost.branch(f)
		types := f.labelTypes()
		v.popAll(types)
		v.pushAll(types)
		v.flow.branch(opBrIf, len(v.types), v.index)
	case opBrTable:
		v.branchTable()
	case opReturn:
		v.popAll(v.frames[0].results)
		v.flow.leave(len(v.types))
		v.neverReached()
	case opCall:
		v.call()
	case opCallIndirect:
		v.callIndirect()
	}
}

func (v *validator) open() {
	if v.op == opIf {
		v.popType(I32)
	}
	f := frame{op: v.op, start: v.start}
	switch b := v.block; {
	case b.result != 0:
		f.results = oneType(b.result)
	case b.index >= 0:
		t := v.typeAt(uint32(b.index))
		f.params, f.results = t.Params, t.Results
	}
	if len(v.frames) > v.limits.Nesting {
		v.failAt(v.start, "blocks nested deeper than %d", v.limits.Nesting)
		return
	}
	v.cost.open(v, &f)
	v.popAll(f.params)
	v.flow.begin(v.op, len(v.types), len(f.params)+len(f.results))
	v.pushFrame(f)
}

func (v *validator) otherwise() {
	f := v.popFrame()
	if f.op != opIf {
		v.failAt(v.start, "else without if")
		return
	}
	v.flow.otherwise(len(v.types))
	v.cost.blocks += blocksOfElse
	v.pushFrame(frame{op: opElse, start: f.start, params: f.params, results: f.results, branches: f.branches})
}

func (v *validator) close() {
	f := v.popFrame()
	if f.op == opIf && !sameTypes(f.params, f.results) {
		v.failAt(v.start, "type mismatch: if without else must give what it takes")
	}
	v.cost.close(&f)
	v.flow.end(len(v.types))
	if len(v.frames) > 0 {
		v.pushAll(f.results)
	}
}

func sameTypes(a, b []ValType) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (v *validator) branchTable() {
	v.popType(I32)
	v.cost.branchTable(len(v.targets))
	last := v.label(v.targets[len(v.targets)-1]).labelTypes()
	for i, target := range v.targets {
		f := v.label(target)
		f.branches++
		types := f.labelTypes()
		switch {
		case v.err != nil:
			return
		case len(types) != len(last):
			v.failAt(v.start, "type mismatch: br_table target %d takes %d values, the default %d", i, len(types), len(last))
		case len(types) > 0:
			v.branchOperands(types)
		}
	}
	v.popAll(last)
	if v.err == nil {
		v.flow.branchTable(len(v.types), v.targets)
	}
	v.neverReached()
}

// branchOperands checks that a branch could carry the operands on the stack,
// and leaves them there.
func (v *validator) branchOperands(types []ValType) {
	n := len(v.types)
	for i := range types {
		at, want := n-1-i, types[len(types)-1-i]
		if at < v.height {
			if !v.unreachable {
				v.failAt(v.start, "type mismatch: br_table needs one more operand")
			}
			return
		}
		if got := v.types[at]; got != want && got != anyType {
			v.failAt(v.start, "type mismatch: br_table wants %s, got %s", want, got)
			return
		}
	}
}

func (v *validator) call() {
	if uint64(v.index) >= uint64(len(v.m.funcs)) {
		v.failAt(v.start, "unknown function %d of %d", v.index, len(v.m.funcs))
		return
	}
	v.m.calls = append(v.m.calls, v.index)
	v.apply(v.m.funcType(v.index))
}

func (v *validator) callIndirect() {
	if v.tableAt(v.second).Type != FuncRef {
		v.failAt(v.start, "type mismatch: call_indirect through a table that holds no functions")
	}
	t := v.typeAt(v.index)
	v.m.calls = append(v.m.calls, uint32(len(v.m.funcs))+v.index)
	v.popType(I32)
	v.apply(t)
}

func (v *validator) apply(t FuncType) {
	v.popAll(t.Params)
	v.flow.call(t, len(v.types))
	v.pushAll(t.Results)
}

func (v *validator) typeAt(i uint32) FuncType {
	if uint64(i) >= uint64(len(v.m.types)) {
		v.failAt(v.start, "unknown type %d of %d", i, len(v.m.types))
		return FuncType{}
	}
	return v.m.types[i]
}

func (v *validator) tableAt(i uint32) Table {
	if uint64(i) >= uint64(len(v.m.tables)) {
		v.failAt(v.start, "unknown table %d of %d", i, len(v.m.tables))
		return Table{Type: FuncRef}
	}
	return v.m.tables[i]
}
