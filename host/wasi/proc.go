package wasi

import (
	goruntime "runtime"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/tetratelabs/wazero/api"
)

func procFuncs() []abi.Func {
	return []abi.Func{
		{Name: "proc_exit", Params: []api.ValueType{i32}, Do: procExit},
		function("proc_raise", procRaise, i32),
		function("sched_yield", schedYield),
	}
}

// procExit ends the guest with abi.Exit. Nothing of it runs any more, but its
// instance stays open.
//
//   - code: 0 means that all is well
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#proc_exit
func procExit(_ abi.Guest, a abi.Args) int64 { panic(abi.Exit{Code: a.U32(0)}) }

// lastSignal is SIGSYS.
const lastSignal = 30

// procRaise ends the guest with the exit code that a shell gives to a program
// ended by that signal: 128 and its number. There are no handlers.
//
//   - signal: 0 does nothing
//
// EINVAL: there is no such signal.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#proc_raise
func procRaise(_ abi.Guest, a abi.Args) errno {
	switch signal := a.U32(0); {
	case signal == 0:
		return success
	case signal > lastSignal:
		return einval
	default:
		panic(abi.Exit{Code: 128 + signal})
	}
}

// schedYield lets others run.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sched_yield
func schedYield(abi.Guest, abi.Args) errno {
	goruntime.Gosched()
	return success
}
