package runtime

import (
	"errors"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// defaultKept is how many bytes of native stack an Instance may keep for the next
// request: the engine never gives back what a function's stack has grown to, and
// nobody counts it.
const defaultKept = 128 << 10

// stackOf fills in what a plan leaves to the default.
func stackOf(p abi.Plan) abi.Stack {
	s := p.Stack
	if s.Kept == 0 {
		s.Kept = defaultKept
	}
	if s.Most == 0 {
		s.Most = wasm.CallStack
	}
	return s
}

// ErrCallDepth ends a guest whose calls need more than wasm.CallStack.
var ErrCallDepth = errors.New("call stack exhausted: the guest's calls are nested too deeply")

// deepen is where a guest's calls have used up what an Instance keeps, and where
// they end.
func deepen(g abi.Guest, a abi.Args) int64 {
	room := a.I64(0)
	if !g.Deep {
		g.Deep = true
		room += g.MoreStack
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
		i.findEntry()
	}
}
