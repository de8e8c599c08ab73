package runtime

import (
	"math/rand/v2"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// goRandName is the import that stands in for Go's runtime.rand.
const goRandName = "go_rand"

// goStackPointer is Go's first global, and so its stack pointer:
// https://github.com/golang/go/blob/master/src/cmd/link/internal/wasm/asm.go
var goStackPointer = wasm.GlobalExport(0)

// goRand is runtime.rand of Go guests: 64 random bits. Go's own generator lies in
// the guest's memory and would begin with the same state in every request. The
// host's is ChaCha8, seeded by the operating system. Go calls functions with
// everything on a stack in memory: the return address is on top, the result's
// place above it, and the callee takes the address off. Result 0: no unwinding.
func goRand(g abi.Guest, _ abi.Args) int64 {
	sp := g.Global(goStackPointer)
	at := uint32(sp.Get())
	g.PutUint64(at+8, rand.Uint64())
	sp.Set(uint64(at + 8))
	return 0
}
