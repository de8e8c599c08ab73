package wasm

// What metered code does to pay.

// entry opens the body: fuel -= weight, room -= frame, and the first credit.
func (b *bodyWriter) entry() {
	if !b.metered {
		return
	}
	b.copyTo(b.pos)
	b.point = 1
	if b.counted {
		b.takeRoom()
	}
	b.payEntry()
	if b.credits {
		b.code.i64Const(creditUnits)
		b.code.op(opLocalSet, b.credit)
	}
	if b.wrapped() {
		b.wrap()
	}
}

// payEntry pays for the code outside of loops, unless the call did.
func (b *bodyWriter) payEntry() {
	free := b.plan.free() && !b.counted
	weight := b.plan.points[0].weight
	if free {
		weight = 0
	}
	if b.credits {
		weight += creditUnits
	}
	if weight > 0 {
		b.payFuel(weight)
	}
	switch {
	case b.counted:
		b.rewriter.ifNothingLeft(&b.code)
		b.refuel(0)
		b.code.byte(byte(opEnd))
	case !free:
		b.checkFuel()
	}
}

// wrapped says whether the body becomes a block, so that every return gives back
// what the function holds.
func (b *bodyWriter) wrapped() bool { return b.credits || b.counted }

func (b *bodyWriter) wrap() {
	b.code.byte(byte(opBlock))
	switch results := b.typ.Results; len(results) {
	case 0:
		b.code.byte(emptyBlock)
	case 1:
		b.code.byte(byte(results[0]))
	default:
		b.code.signed(int64(b.rewriter.addType(FuncType{Results: results})))
	}
}

// exit closes the body: fuel += credit, room += frame.
func (b *bodyWriter) exit() {
	b.copyTo(len(b.data))
	if b.credits {
		b.code.op(opGlobalGet, b.rewriter.meter.fuel)
		b.code.op(opLocalGet, b.credit)
		b.code.byte(byte(opI64Add))
		b.code.op(opGlobalSet, b.rewriter.meter.fuel)
	}
	if b.counted {
		b.giveRoom()
	}
	if b.wrapped() {
		b.code.byte(byte(opEnd))
	}
}

// pay pays at a loop header, with a check, or behind a block.
func (b *bodyWriter) pay(p point) {
	if p.weight == 0 {
		return
	}
	withParams := p.loop && b.hasParams()
	if p.loop && !withParams {
		b.checkLoop(p)
	}
	fuel := b.plan.paysFuel(p)
	if fuel {
		b.payFuel(p.weight)
	} else {
		b.payCredit(p.weight)
	}
	switch {
	case withParams && fuel:
		b.checkFuel()
	case withParams:
		b.checkCredit()
	}
}

func (b *bodyWriter) payFuel(weight int64) {
	b.code.op(opGlobalGet, b.rewriter.meter.fuel)
	b.code.i64Const(weight)
	b.code.byte(byte(opI64Sub))
	b.code.op(opGlobalSet, b.rewriter.meter.fuel)
}

func (b *bodyWriter) checkFuel() {
	b.rewriter.ifFuelNegative(&b.code)
	b.refuel(0)
	b.code.byte(byte(opEnd))
}

// refuel makes fuel at least the weight.
func (b *bodyWriter) refuel(weight int64) {
	b.code.i64Const(weight)
	b.code.op(opCall, b.rewriter.meter.refuel)
}

func (b *bodyWriter) payCredit(weight int64) {
	b.code.op(opLocalGet, b.credit)
	b.code.i64Const(weight)
	b.code.byte(byte(opI64Sub))
	b.code.op(opLocalSet, b.credit)
}

func (b *bodyWriter) checkCredit() {
	b.code.op(opLocalGet, b.credit)
	b.code.ifNegative()
	b.code.op(opLocalGet, b.credit)
	b.code.op(opCall, b.rewriter.meter.refill)
	b.code.op(opLocalSet, b.credit)
	b.code.byte(byte(opEnd))
}

// A bulk operation's length is its last operand: a number of bytes, of table
// entries or of pages.

func paysByLength(op opcode) bool {
	switch op {
	case opMemoryInit, opMemoryCopy, opMemoryFill, opMemoryGrow, opTableInit, opTableCopy, opTableFill, opTableGrow:
		return true
	}
	return false
}

// payLength pays for the length on top of the stack, and leaves it there.
func (b *bodyWriter) payLength() {
	get, set, counter, check := opLocalGet, opLocalSet, b.credit, b.checkCredit
	if b.plan.points[b.labels.innermost().within].direct {
		get, set, counter, check = opGlobalGet, opGlobalSet, b.rewriter.meter.fuel, b.checkFuel
	}
	b.code.op(opLocalTee, b.length)
	b.code.op(get, counter)
	b.units()
	b.code.byte(byte(opI64Sub))
	b.code.op(set, counter)
	check()
}

// units pushes what the length costs.
func (b *bodyWriter) units() {
	b.code.op(opLocalGet, b.length)
	if b.op == opMemoryGrow || b.op == opTableGrow {
		b.growsFor()
	}
	b.code.byte(byte(opI64ExtendI32))
	switch b.op {
	case opMemoryGrow:
		b.code.i64Const(growShift)
		b.code.byte(byte(opI64Shl))
	case opMemoryInit, opMemoryCopy, opMemoryFill:
		b.code.i64Const(byteShift)
		b.code.byte(byte(opI64ShrU))
	}
}

// growsFor makes the length 0 where growing must fail, which costs nothing.
func (b *bodyWriter) growsFor() {
	limit := uint32(maxPages)
	if b.op == opTableGrow {
		if limit = b.rewriter.options.TableLimit; limit == 0 {
			return
		}
	}
	b.code.i32Const(0)
	b.code.op(opLocalGet, b.length)
	b.code.i32Const(int32(limit))
	b.code.byte(byte(opI32LeU), byte(opSelect))
}
