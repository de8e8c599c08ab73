package wasm

// constExpr is a validated constant expression: one instruction and an end.
type constExpr struct {
	start, end int // offsets in the module, the end instruction included
	op         opcode
	index      uint32 // of global.get and ref.func
	bits       uint64 // of a numeric constant
}

// isNumber says whether the value is known without imports.
func (e constExpr) isNumber() bool { return e.op >= opI32Const && e.op <= opF64Const }

// constExpr reads an expression that gives one value of type want.
func (p *parser) constExpr(r *reader, want ValType) (e constExpr) {
	w := &p.consts
	w.reader = *r
	e.start = w.pos
	if w.next() {
		e.op, e.index = w.op, w.index
		p.constOperand(w, &e, want)
	}
	if w.next() && w.op != opEnd {
		w.failAt(w.start, "type mismatch or constant expression required: %s in a constant expression of one instruction", w.op)
	}
	if w.err == nil && w.op != opEnd {
		w.fail("unexpected end of a constant expression")
	}
	e.end = w.pos
	r.pos, r.err = w.pos, w.err
	return e
}

func (p *parser) constOperand(w *walker, e *constExpr, want ValType) {
	var got ValType
	switch w.op {
	case opI32Const, opI64Const:
		got, e.bits = operations[w.op].result, uint64(w.number)
	case opF32Const, opF64Const:
		got, e.bits = operations[w.op].result, littleEndian(w.data[w.start+1:w.end])
	case opV128Const:
		got = V128
	case opRefNull:
		got = w.typ
	case opRefFunc:
		got = FuncRef
		if uint64(w.index) >= uint64(len(p.m.funcs)) {
			w.failAt(w.start, "unknown function %d of %d", w.index, len(p.m.funcs))
			return
		}
		p.m.declare(w.index)
	case opGlobalGet:
		got = p.constGlobal(w)
	case opEnd:
		w.failAt(w.start, "type mismatch: empty constant expression")
		return
	default:
		w.failAt(w.start, "constant expression required: %s is not constant", w.op)
		return
	}
	if w.err == nil && got != want {
		w.failAt(w.start, "type mismatch: constant expression of %s, got %s", want, got)
	}
}

// constGlobal allows imported immutable globals only.
func (p *parser) constGlobal(w *walker) ValType {
	switch {
	case uint64(w.index) >= uint64(p.m.importedGlobals):
		w.failAt(w.start, "unknown global %d: a constant expression may use imported ones only", w.index)
	case p.m.globals[w.index].Mutable:
		w.failAt(w.start, "constant expression required: global %d is mutable", w.index)
	default:
		return p.m.globals[w.index].Type
	}
	return anyType
}

func littleEndian(b []byte) (v uint64) {
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v
}
