package wasm

// What metered code does to pay.

// entry opens the body: fuel -= weight, and the first credit. The body becomes a
// block, so that every return gives the credit back.
func (b *bodyWriter) entry() {
	if !b.metered {
		return
	}
	b.copyTo(b.pos)
	weight := b.plan.points[0].weight
	b.point = 1
	if b.credits {
		weight += creditUnits
	}
	b.payFuel(weight)
	b.checkFuel()
	if !b.credits {
		return
	}
	b.code.i64Const(creditUnits)
	b.code.op(opLocalSet, b.credit)
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

// exit closes the body: fuel += credit.
func (b *bodyWriter) exit() {
	b.copyTo(len(b.data))
	if !b.credits {
		return
	}
	b.code.op(opGlobalGet, b.rewriter.meter.fuel)
	b.code.op(opLocalGet, b.credit)
	b.code.byte(byte(opI64Add))
	b.code.op(opGlobalSet, b.rewriter.meter.fuel)
	b.code.byte(byte(opEnd))
}

// pay pays at a loop header, with a check, or behind a block.
func (b *bodyWriter) pay(p point) {
	switch {
	case p.weight == 0:
	case p.loop:
		b.payCredit(p.weight, opLocalTee)
		b.checkCredit()
	case b.credits:
		b.payCredit(p.weight, opLocalSet)
	default:
		b.payFuel(p.weight)
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
	b.code.op(opCall, b.rewriter.meter.refuel)
	b.code.byte(byte(opEnd))
}

// payCredit leaves the credit as an operand if store is local.tee.
func (b *bodyWriter) payCredit(weight int64, store opcode) {
	b.code.op(opLocalGet, b.credit)
	b.code.i64Const(weight)
	b.code.byte(byte(opI64Sub))
	b.code.op(store, b.credit)
}

// checkCredit takes the credit as an operand.
func (b *bodyWriter) checkCredit() {
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
	b.code.op(opLocalTee, b.length)
	if b.credits {
		b.code.op(opLocalGet, b.credit)
	} else {
		b.code.op(opGlobalGet, b.rewriter.meter.fuel)
	}
	b.units()
	b.code.byte(byte(opI64Sub))
	if b.credits {
		b.code.op(opLocalTee, b.credit)
		b.checkCredit()
	} else {
		b.code.op(opGlobalSet, b.rewriter.meter.fuel)
		b.checkFuel()
	}
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
