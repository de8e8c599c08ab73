package wasm

import "slices"

// Depth of calls. The engine puts the frames of all open functions on a stack
// that it grows on the host's heap, where no limit of ours sees it. So a global,
// room, holds how many bytes of it are left. A function that can run more than
// once at the same time, because it is on a cycle of calls, takes the size of its
// frame from room when it begins and gives it back when it returns; it checks
// room and fuel in one. All others together take a bounded number of bytes, since
// each of them is at most once on the stack; where that is too many, all are
// counted.
//
// What a frame takes is estimated, see frameSize: the depth at which a guest is
// stopped must not depend on the machine. A guest that traps leaves room as it
// is, so the host sets it before each run.
const (
	// CallStack is how many bytes of native stack the guest's calls may use.
	CallStack = 8 << 20
	// maxUncounted is what functions may take that are not counted.
	maxUncounted = 64 << 10
)

// prepareDepth finds the functions that are counted.
func (w *rewriter) prepareDepth() {
	if !w.options.Meter {
		return
	}
	w.meter.room = w.meter.fuel + 1
	w.meter.deepen = w.addImport(TickModule, DeepenName, w.addType(FuncType{oneType(I64), oneType(I64)}))
	g := newCallGraph(w.m)
	w.counted = g.recursive[:len(w.m.funcs)]
	if len(g.deepest) > 0 && slices.Max(g.deepest) > maxUncounted {
		w.counted = slices.Repeat([]bool{true}, len(w.m.funcs))
	}
}

// takeRoom: room -= frame.
func (b *bodyWriter) takeRoom() { b.changeRoom(opI64Sub) }

// giveRoom: room += frame.
func (b *bodyWriter) giveRoom() { b.changeRoom(opI64Add) }

func (b *bodyWriter) changeRoom(op opcode) {
	b.code.op(opGlobalGet, b.rewriter.meter.room)
	b.code.i64Const(b.frame)
	b.code.byte(byte(op))
	b.code.op(opGlobalSet, b.rewriter.meter.room)
}

// checkRoom: if room < 0 then room = deepen(room).
func (w *rewriter) checkRoom(e *encoder) {
	e.op(opGlobalGet, w.meter.room)
	e.ifNegative()
	e.op(opGlobalGet, w.meter.room)
	e.op(opCall, w.meter.deepen)
	e.op(opGlobalSet, w.meter.room)
	e.byte(byte(opEnd))
}
