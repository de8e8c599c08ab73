package native

import (
	"io"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Time and randomness".
var timeFuncs = []abi.Func{
	{Name: "clock", Results: i64, Do: clock},
	{Name: "time_left", Results: i64, Do: timeLeft},
	{Name: "random", Params: buffer, Results: i32, Do: random},
}

func clock(g abi.Guest, _ abi.Args) int64 { return g.Services.Coarse(g.Services.Now().UnixNano()) }

func timeLeft(g abi.Guest, _ abi.Args) int64 { return g.Services.Coarse(int64(max(0, g.TimeLeft()))) }

func random(g abi.Guest, a abi.Args) int64 {
	for rest := g.Bytes(a.U32(0), a.U32(1)); len(rest) > 0; {
		n := min(len(rest), randomChunk)
		g.Work(host.RandomWeight * int64(n))
		if _, err := io.ReadFull(g.Services.Random, rest[:n]); err != nil {
			return failed(g, err)
		}
		rest = rest[n:]
	}
	return 0
}

// randomChunk is how much is made before the limits are looked at again.
const randomChunk = 64 << 10
