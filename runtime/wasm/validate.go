package wasm

// validator checks function bodies; it is reused from one to the next.
type validator struct {
	walker
	operands
	m      *Module
	limits *Limits
	locals []ValType // of the function, parameters first
	cost   complexity
	flow   flow
	frame  frameSize
}

func newValidator(m *Module, l *Limits) *validator {
	v := &validator{m: m, limits: l}
	v.walker.limits = l
	v.operands.w, v.operands.flow = &v.walker, &v.flow
	return v
}

// function validates one body, which body holds alone.
func (v *validator) function(body *reader, t FuncType) {
	v.walker.reader = *body
	v.locals = append(v.locals[:0], t.Params...)
	v.readLocals()
	v.types, v.frames = v.types[:0], v.frames[:0]
	v.pushFrame(frame{op: opBlock, start: v.pos, results: t.Results})
	v.cost.function(len(v.locals))
	v.flow.function(v.locals)
	for len(v.frames) > 0 && v.next() {
		v.instruction1()
	}
	switch {
	case v.err != nil:
	case len(v.frames) > 0:
		v.fail("unexpected end of the body: %d blocks are open", len(v.frames))
	case v.pos != len(v.data):
		v.fail("%d bytes behind the end of the body", v.left())
	}
	v.cost.endFunction(v)
	body.err, body.pos = v.err, v.pos
}

// readLocals expands the run lengths, after the total was checked.
func (v *validator) readLocals() {
	for range v.count("groups of locals", v.left()) {
		start := v.pos
		n := v.u32()
		t := v.valType()
		switch {
		case v.err != nil:
			return
		case uint64(n)+uint64(len(v.locals)) > uint64(v.limits.Locals):
			v.failAt(start, "more than %d locals in one function: too many locals", v.limits.Locals)
			return
		}
		for range n {
			v.locals = append(v.locals, t)
		}
	}
	if v.m.totalLocals += len(v.locals); v.m.totalLocals > v.limits.TotalLocals {
		v.fail("more than %d locals in all functions", v.limits.TotalLocals)
	}
}

// instruction1 validates the instruction that was just read.
func (v *validator) instruction1() {
	switch v.op {
	case opLocalGet, opLocalSet, opLocalTee:
		v.local()
	case opGlobalGet, opGlobalSet:
		v.global()
	default:
		if op := &operations[v.op]; op.plain {
			v.plain(op)
		} else {
			v.special()
		}
	}
	v.flow.pushed(len(v.types))
	if len(v.types) > v.limits.Stack {
		v.failAt(v.start, "more than %d operands on the stack", v.limits.Stack)
	}
}

func (v *validator) special() {
	switch v.op {
	case opDrop:
		v.pop()
	case opSelect, opSelectTyped:
		v.selectOp()
	case opRefNull, opRefIsNull, opRefFunc:
		v.reference()
	default:
		if v.op <= opCallIndirect {
			v.control()
		} else {
			v.bulk()
		}
	}
}

// plain checks an operation whose types are in the table.
func (v *validator) plain(op *operation) {
	if op.imm >= immMemArg && op.imm <= immZeroZero && op.imm != immLane {
		v.needMemory()
	}
	for i := int(op.npops) - 1; i >= 0; i-- {
		v.popType(op.pops[i])
	}
	if op.result != 0 {
		v.push(op.result)
		v.flow.vectors = v.flow.vectors || op.result == V128
	}
	switch v.op {
	case opMemoryGrow:
		v.m.facts.GrowsMemory = true
		v.cost.bulk()
		v.clobber()
	case opMemoryCopy, opMemoryFill:
		v.cost.bulk()
		v.clobber()
	}
}

// clobber records an instruction that costs the engine its registers.
func (v *validator) clobber() { v.flow.clobber(len(v.types)) }

func (v *validator) needMemory() {
	if len(v.m.memories) == 0 {
		v.failAt(v.start, "unknown memory: %s in a module without one", v.op)
	}
}

func (v *validator) local() {
	if uint64(v.index) >= uint64(len(v.locals)) {
		v.failAt(v.start, "unknown local %d of %d", v.index, len(v.locals))
		return
	}
	t := v.locals[v.index]
	if v.op != opLocalGet {
		v.popType(t)
	}
	v.flow.local(v.op, len(v.types), v.index)
	if v.op != opLocalSet {
		v.push(t)
	}
}

func (v *validator) global() {
	if uint64(v.index) >= uint64(len(v.m.globals)) {
		v.failAt(v.start, "unknown global %d of %d", v.index, len(v.m.globals))
		return
	}
	g := v.m.globals[v.index]
	v.flow.global(v.op, len(v.types), v.index)
	if v.op == opGlobalGet {
		v.push(g.Type)
		return
	}
	if !g.Mutable {
		v.failAt(v.start, "global.set: global %d is immutable", v.index)
	}
	v.popType(g.Type)
	v.m.facts.SetsReferenceGlobals = v.m.facts.SetsReferenceGlobals || g.Type.isRef()
	v.m.facts.SetsV128Globals = v.m.facts.SetsV128Globals || g.Type == V128
}

func (v *validator) selectOp() {
	v.popType(I32)
	if v.op == opSelectTyped {
		v.popType(v.typ)
		v.popType(v.typ)
		v.push(v.typ)
		return
	}
	a := v.pop()
	b := v.popType(a)
	if a == anyType {
		a = b
	}
	if a.isRef() || b.isRef() {
		v.failAt(v.start, "type mismatch: select of references needs a type")
	}
	v.push(a)
}

func (v *validator) reference() {
	switch v.op {
	case opRefNull:
		v.push(v.typ)
	case opRefIsNull:
		if t := v.pop(); t != anyType && !t.isRef() {
			v.failAt(v.start, "type mismatch: ref.is_null wants a reference, got %s", t)
		}
		v.push(I32)
	case opRefFunc:
		switch {
		case uint64(v.index) >= uint64(len(v.m.funcs)):
			v.failAt(v.start, "unknown function %d of %d", v.index, len(v.m.funcs))
		case !v.m.declared[v.index]:
			v.failAt(v.start, "undeclared function reference: ref.func %d", v.index)
		}
		v.m.facts.TakesFuncRefs = true
		v.clobber()
		v.push(FuncRef)
	}
}
