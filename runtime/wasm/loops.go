package wasm

// Loops in metered code. A small loop spends as much on paying as on its work,
// unless wazero compiles that well, so the code is shaped for it:
//
//   - A variable that lives across a call is stored at each of its assignments,
//     however seldom the call is made. So fuel and credit are filled up in a loop
//     around the loop: only its copies of the variables live across the call.
//   - An else that ends with a branch back to a loop is placed behind all other
//     code, which leaves the usual path straight.
//   - A comparison and a branch are fused, unless the branch leads to where others
//     arrive too, as they do at a loop. That of an if does not.
//
// What an iteration costs more is then a comparison with a branch that is hardly
// ever taken, and a subtraction.

// outerLabel names the outer loop where the inner one checks, in an if.
const outerLabel = 3

// loop writes the beginning of a loop; checkLoop and refillLoop write the rest:
//
//	loop
//	  if credit >= weight
//	    loop
//	      if credit < weight then branch to the outer loop
//	      credit -= weight
//	      ...
//	    end
//	  else
//	    credit = refill(credit - weight) + weight
//	    branch to the outer loop
//	  end
//	end
//
// Loops with parameters, which are rare, pay and then check instead.
func (b *bodyWriter) loop() {
	if !b.metered || b.hasParams() {
		b.labels.open(openLabel{start: b.start, blocks: 1, within: b.point})
		return
	}
	b.copyTo(b.end)
	head := b.data[b.start:b.end]
	b.canPay(b.plan.points[b.point])
	b.code.byte(byte(opIf))
	b.code.raw(head[1:])
	b.code.raw(head)
	b.labels.open(openLabel{start: b.start, blocks: 3, within: b.point})
}

// canPay pushes whether the point can be paid.
func (b *bodyWriter) canPay(p point) {
	if b.plan.paysFuel(p) {
		b.code.op(opGlobalGet, b.rewriter.meter.fuel)
	} else {
		b.code.op(opLocalGet, b.credit)
	}
	b.code.i64Const(p.weight)
	b.code.byte(byte(opI64GeS))
}

func (b *bodyWriter) hasParams() bool {
	return b.block.index >= 0 && len(b.rewriter.m.types[b.block.index].Params) > 0
}

// checkLoop begins an iteration.
func (b *bodyWriter) checkLoop(p point) {
	b.canPay(p)
	b.code.byte(byte(opIf), emptyBlock, byte(opElse))
	b.code.op(opBr, outerLabel)
	b.code.byte(byte(opEnd))
}

// refillLoop follows the end of the inner loop.
func (b *bodyWriter) refillLoop(p point) {
	b.code.byte(byte(opElse))
	if b.plan.paysFuel(p) {
		b.refuel(p.weight)
	} else {
		b.code.op(opLocalGet, b.credit)
		b.code.i64Const(p.weight)
		b.code.byte(byte(opI64Sub))
		b.code.op(opCall, b.rewriter.meter.refill)
		b.code.i64Const(p.weight)
		b.code.byte(byte(opI64Add))
		b.code.op(opLocalSet, b.credit)
	}
	b.code.op(opBr, 1)
	b.code.byte(byte(opEnd), byte(opEnd))
}

// branchIf writes a conditional branch. One back to a loop becomes an if around a
// branch, which makes up for what the loop pays.
func (b *bodyWriter) branchIf() {
	label := b.labels.of(b.index)
	if b.labels.target(b.index).blocks == 1 {
		b.code.op(opBrIf, label)
		return
	}
	b.code.byte(byte(opIf), emptyBlock)
	b.code.op(opBr, label+1)
	b.code.byte(byte(opEnd))
}
