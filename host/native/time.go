package native

import (
	"io"

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
	if _, err := io.ReadFull(g.Services.Random, g.Bytes(a.U32(0), a.U32(1))); err != nil {
		return failed(g, err)
	}
	return 0
}
