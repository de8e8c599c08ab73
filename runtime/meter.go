package runtime

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// quantum is how many units a guest runs between two looks at its limits: about
// 100 microseconds of guest work.
const quantum = 300_000

// engineModule is what rewritten modules import beside what their authors do.
func engineModule(t *turns) *abi.Module {
	return &abi.Module{Name: wasm.TickModule, Funcs: []abi.Func{
		{Name: wasm.TickName, Params: []abi.Type{abi.I64}, Results: []abi.Type{abi.I64}, Do: t.tick},
		{Name: wasm.DeepenName, Params: []abi.Type{abi.I64}, Results: []abi.Type{abi.I64}, Do: deepen},
		{Name: goRandName, Results: []abi.Type{abi.I64}, Do: goRand},
	}}
}

// tick is where a running guest meets its limits, and where Go's scheduler and
// garbage collector get hold of its thread. It grants the next quantum.
func (t *turns) tick(g abi.Guest, a abi.Args) int64 {
	share := max(g.Share, 1)
	if cause := g.Spend((quantum*share - a.I64(0)) / share); cause != nil {
		panic(cause)
	}
	t.turn(g.Call)
	return quantum * share
}

// Pace implements host.Pacer.
func (t *turns) Pace(c *host.Call) {
	if cause := c.Spend(0); cause != nil {
		panic(cause)
	}
	t.turn(c)
}

// turn gives the Call its turn, or panics if the end comes while it waits.
func (t *turns) turn(c *host.Call) {
	if !t.take(c) {
		return
	}
	if cause := c.Spend(0); cause != nil {
		panic(cause)
	}
}
