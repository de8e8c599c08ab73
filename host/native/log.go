package native

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Log".
var logFuncs = []abi.Func{
	{Name: "log", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: logEntry},
}

func logEntry(g abi.Guest, a abi.Args) int64 {
	level := a.U32(0)
	if level > uint32(host.LogError) {
		return failed(g, host.Errorf(host.CodeInvalid, "log level %d is not between 0 and %d", level, host.LogError))
	}
	if text := a.U32(2); g.Usage.LogBytes+int64(text) <= g.Limits.Log {
		g.Work(host.LogWeight * int64(text))
	}
	if !g.Log(host.LogLevel(level), g.Bytes(a.U32(1), a.U32(2))) {
		return failed(g, host.Errorf(host.CodeLimit, "the log limit of %d bytes is used up", g.Limits.Log))
	}
	return 0
}
