package wasm

// Metering. A global, fuel, holds the units that are left. Code pays before it
// runs, so that no path evades:
//
//   - a function pays at its entry for its instructions outside of loops, and a
//     loop at its header, that is once per iteration, for its own;
//   - where those grow beyond a threshold, code behind the end of a block pays
//     for itself on arrival. Before that it is paid for where the block began:
//     whoever arrives behind a block went through its beginning;
//   - bulk operations pay by their length;
//   - a small function that can't recurse is covered by the weight of the call.
//
// In a function with loops a local, credit, holds units that were taken from
// fuel in advance; what is left goes back when the function returns. So a loop
// counts in a register, and a recursion can't hold back what it owes. A trap
// loses the credit: at most creditUnits per open function.
//
// fuel is checked wherever it is paid from at a function's entry, a bulk
// operation or a refill of credit; behind blocks it is not, since only a bounded
// stretch of code can follow.
const (
	creditUnits = 1024
	// A stretch of code is split once it weighs that much.
	loopThreshold  = 32
	entryThreshold = 256
)

// meter is what metered code refers to, by its new indices.
type meter struct {
	fuel, room                   uint32 // globals
	tick, deepen, refuel, refill uint32 // functions
}

func (w *rewriter) prepareMeter() {
	if !w.options.Meter {
		return
	}
	w.meter.fuel = uint32(len(w.m.globals))
	w.meter.tick = w.addImport(TickModule, TickName, w.addType(FuncType{oneType(I64), oneType(I64)}))
}

// prepareHelpers adds the functions that keep the checks short. It fixes every
// type that metered code needs.
func (w *rewriter) prepareHelpers() {
	if !w.options.Meter {
		return
	}
	w.meter.refuel = w.addHelper(FuncType{Params: oneType(I64)}, w.refuelBody())
	w.meter.refill = w.addHelper(FuncType{oneType(I64), oneType(I64)}, w.refillBody())
	for _, f := range w.m.funcs[w.m.importedFuncs:] {
		if results := w.m.types[f].Results; len(results) > 1 {
			w.addType(FuncType{Results: results})
		}
	}
}

// refuelBody takes a weight that is to be paid next: fuel = tick(fuel - weight) +
// weight. Where fuel and room are checked in one, it may be room that is missing.
func (w *rewriter) refuelBody() (e encoder) {
	e.byte(0)
	w.checkRoom(&e)
	e.op(opGlobalGet, w.meter.fuel)
	e.op(opLocalGet, 0)
	e.byte(byte(opI64Sub))
	e.op(opCall, w.meter.tick)
	e.op(opLocalGet, 0)
	e.byte(byte(opI64Add))
	e.op(opGlobalSet, w.meter.fuel)
	e.byte(byte(opEnd))
	return e
}

// refillBody takes a credit, which is negative, and returns a new one: fuel +=
// credit - creditUnits; if fuel < 0 then fuel = tick(fuel); creditUnits.
func (w *rewriter) refillBody() (e encoder) {
	e.byte(0)
	e.op(opGlobalGet, w.meter.fuel)
	e.op(opLocalGet, 0)
	e.byte(byte(opI64Add))
	e.i64Const(creditUnits)
	e.byte(byte(opI64Sub))
	e.op(opGlobalSet, w.meter.fuel)
	w.ifFuelNegative(&e)
	e.i64Const(0)
	e.op(opCall, w.meter.refuel)
	e.byte(byte(opEnd))
	e.i64Const(creditUnits)
	e.byte(byte(opEnd))
	return e
}

const emptyBlock = 0x40

// ifNothingLeft opens an if for where fuel or room is negative.
func (w *rewriter) ifNothingLeft(e *encoder) {
	e.op(opGlobalGet, w.meter.fuel)
	e.op(opGlobalGet, w.meter.room)
	e.byte(byte(opI64Or))
	e.ifNegative()
}

// ifFuelNegative opens an if.
func (w *rewriter) ifFuelNegative(e *encoder) {
	e.op(opGlobalGet, w.meter.fuel)
	e.ifNegative()
}

// ifNegative opens an if on the operand.
func (e *encoder) ifNegative() {
	e.i64Const(0)
	e.byte(byte(opI64LtS), byte(opIf), emptyBlock)
}
