package wasm

// bodyWriter writes function bodies anew: with shifted functions, and metered.
// It is reused from one body to the next.
type bodyWriter struct {
	rewriter *rewriter
	walker
	code encoder
	plan plan

	copied int // what lies before this offset is written
	point  int // index of the next point of the plan

	typ     FuncType
	metered bool
	counted bool   // takes room
	frame   int64  // bytes of native stack
	credits bool   // pays from credit, a local
	credit  uint32 // index of that local
	length  uint32 // index of the local with the length of a bulk operation
	labels  labels
	jumps   jumps
}

// write returns a body without its size; it is valid until the next call.
func (b *bodyWriter) write(f uint32) []byte {
	b.code.out = b.code.out[:0]
	b.typ = b.rewriter.m.funcType(f)
	if target, ok := b.rewriter.redirected[f]; ok {
		b.redirect(target)
		return b.code.out
	}
	b.begin(f)
	b.locals()
	if b.rewriter.options.Meter {
		b.makePlan()
		b.counted, b.frame = b.rewriter.counted[f], int64(b.rewriter.m.frames[int(f)-b.rewriter.m.importedFuncs])
		b.metered = b.metered || b.counted
	}
	b.entry()
	for b.next() {
		b.instruction1()
	}
	b.exit()
	return b.code.out
}

func (b *bodyWriter) begin(f uint32) {
	m := b.rewriter.m
	body := m.bodies[int(f)-m.importedFuncs]
	b.reader = reader{data: m.data[:body.end], pos: body.start}
	b.copied, b.point = body.start, 0
	b.labels.reset()
	b.jumps = jumps{}
	b.metered, b.credits, b.counted = false, false, false
	if b.limits == nil {
		b.limits = &Limits{BranchTargets: len(m.data)}
	}
}

// locals reads the locals; makePlan appends to them.
func (b *bodyWriter) locals() {
	b.credit = uint32(len(b.typ.Params))
	for range b.u32() {
		b.credit += b.u32()
		b.byte()
	}
	b.length = b.credit
}

// makePlan walks through the body once, and writes the locals.
func (b *bodyWriter) makePlan() {
	start := b.pos
	b.plan.reset(start)
	for b.next() {
		b.plan.instruction(&b.walker)
	}
	b.pos = start
	b.metered = b.plan.loops || !b.plan.free()
	b.credits = b.plan.credits
	var types []ValType
	if b.credits {
		types = append(types, I64)
		b.length++
	}
	if b.plan.bulk {
		types = append(types, I32)
	}
	if len(types) > 0 {
		b.addLocals(types)
	}
}

func (b *bodyWriter) addLocals(types []ValType) {
	old := reader{data: b.data, pos: b.copied}
	n := old.u32()
	b.code.u32(n + uint32(len(types)))
	b.code.raw(b.data[old.pos:b.pos])
	for _, t := range types {
		b.code.byte(1, byte(t))
	}
	b.copied = b.pos
}

// copyTo writes what was not yet, up to an offset.
func (b *bodyWriter) copyTo(offset int) {
	b.code.raw(b.data[b.copied:offset])
	b.copied = offset
}

// instruction1 writes the instruction that was just read, where it changes, and
// what is to be paid behind it.
func (b *bodyWriter) instruction1() {
	if b.metered && b.plan.loops {
		b.watch()
	}
	switch b.op {
	case opCall, opRefFunc:
		b.copyTo(b.start)
		b.code.op(b.op, b.rewriter.function(b.index))
		b.copied = b.end
	case opBlock, opIf:
		b.labels.open(openLabel{start: b.start, blocks: 1, within: b.labels.innermost().within})
	case opLoop:
		b.loop()
	case opEnd:
		b.endBlock()
	case opBr, opBrIf, opBrTable, opReturn:
		b.branch()
	default:
		if b.metered && paysByLength(b.op) {
			b.copyTo(b.start)
			b.payLength()
		}
	}
	if b.metered && b.point < len(b.plan.points) && b.plan.points[b.point].offset == b.end {
		b.copyTo(b.end)
		b.pay(b.plan.points[b.point])
		b.point++
	}
}

// endBlock closes what was opened for a block.
func (b *bodyWriter) endBlock() {
	if closed := b.labels.close(); closed.blocks > 1 {
		b.copyTo(b.end)
		b.refillLoop(b.plan.points[closed.within])
	}
}

// branch gives a branch its new label; only functions with loops have any. A
// return from a wrapped body becomes a branch.
func (b *bodyWriter) branch() {
	if !b.metered || !b.plan.loops && !(b.op == opReturn && b.wrapped()) {
		return
	}
	b.copyTo(b.start)
	b.copied = b.end
	switch b.op {
	case opReturn:
		if b.wrapped() {
			b.code.op(opBr, b.labels.outermost())
		} else {
			b.code.byte(byte(opReturn))
		}
	case opBrTable:
		b.code.byte(byte(opBrTable))
		b.code.u32(uint32(len(b.targets) - 1))
		for _, t := range b.targets {
			b.code.u32(b.labels.of(t))
		}
	case opBrIf:
		b.branchIf()
	default:
		label, ok := b.forward()
		if !ok {
			label = b.labels.of(b.index)
		}
		b.code.op(b.op, label)
	}
}
