package runtime

import (
	"errors"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// shallow is how many bytes of native stack an Instance may keep for the next
// request: the engine never gives back what a function's stack has grown to, and
// nobody counts it.
const shallow = 128 << 10

// ErrCallDepth ends a guest whose calls need more than wasm.CallStack.
var ErrCallDepth = errors.New("call stack exhausted: the guest's calls are nested too deeply")

// deepen is where a guest's calls have used up shallow, and where they end at
// wasm.CallStack.
func deepen(g abi.Guest, a abi.Args) int64 {
	room := a.I64(0)
	if !g.Deep {
		g.Deep = true
		room += wasm.CallStack - shallow
	}
	if room < 0 {
		panic(ErrCallDepth)
	}
	return room
}

// forgetStack lets go of a stack that has grown.
func (i *Instance) forgetStack() {
	if i.deep {
		i.deep = false
		i.entry = i.mod.ExportedFunction(i.snapshot.code.plan.Entry)
	}
}
