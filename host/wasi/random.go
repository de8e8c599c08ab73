package wasi

import (
	"io"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

func randomFuncs() []abi.Func {
	return []abi.Func{function("random_get", randomGet, i32, i32)}
}

// randomGet fills a buffer with cryptographic random bytes.
//
//   - buf, size: the buffer
//
// EIO: a fault of the node.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#random_get
func randomGet(g abi.Guest, a abi.Args) errno {
	rest := g.Bytes(a.U32(0), a.U32(1))
	for {
		n := min(len(rest), chunk)
		g.Work(host.RandomWeight * int64(n))
		if _, err := io.ReadFull(g.Services.Random, rest[:n]); err != nil {
			return fail(g.Call, err)
		}
		if rest = rest[n:]; len(rest) == 0 {
			return success
		}
		checkTime(g.Call)
	}
}
