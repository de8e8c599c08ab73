package wasi

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/tetratelabs/wazero/api"
)

// Name is the module that guests import from.
const Name = "wasi_snapshot_preview1"

// Module is the host module of all 46 functions. It is stateless.
func Module() *abi.Module {
	return &abi.Module{Name: Name, Funcs: slices.Concat(
		argsFuncs(), clockFuncs(), fdFuncs(), pathFuncs(), pollFuncs(), procFuncs(), randomFuncs(), sockFuncs())}
}

// Short names for the tables of this package.
const (
	i32 = abi.I32
	i64 = abi.I64
)

var le = binary.LittleEndian

// function makes the table entry of a function that returns an errno.
func function(name string, do func(abi.Guest, abi.Args) errno, params ...api.ValueType) abi.Func {
	return abi.Func{Name: name, Params: params, Results: []api.ValueType{i32},
		Do: func(g abi.Guest, a abi.Args) int64 { return int64(do(g, a)) }}
}

// chunk is how many bytes are moved for a guest between two looks at its time.
const chunk = 64 << 10

// checkTime ends a guest whose time is over, with the cause (host.ErrWallTime
// or what the Invocation was canceled with). Host functions that may run for
// long call it, because the engine can't interrupt them.
func checkTime(c *host.Call) {
	if c.Err() != nil {
		panic(context.Cause(c.Context()))
	}
}
