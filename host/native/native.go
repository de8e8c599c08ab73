// Package native implements the Mayfly native ABI, which ABI.md specifies. Each
// area of the specification is one file here with its functions and their
// table; start reading at convention.go for how a module is recognised and run.
package native

import (
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// Name is the module that guests import from; Version is what this node offers.
const (
	Name    = "mayfly"
	Version = "1.0"
)

// table joins the areas into the host module.
func table() *abi.Module {
	return &abi.Module{Name: Name, Version: Version, Funcs: slices.Concat(
		requestFuncs, responseFuncs, bodyFuncs, fetchFuncs, fetcherFuncs, rateLimitFuncs, kvFuncs, envFuncs, logFuncs, timeFuncs, waitFuncs,
		eventFuncs, scheduledFuncs, changeFuncs, batchFuncs, queueFuncs)}
}

// failed turns an error into the negative result that guests see.
func failed(g abi.Guest, err error) int64 { return -int64(g.Fail(err)) }

// Failures that are part of a guest's ordinary course.
var (
	errNoField    = &host.Error{Code: host.CodeNotFound, Msg: "the request has no such header field"}
	errNoBody     = &host.Error{Code: host.CodeNotFound, Msg: "the request has no body"}
	errNoVariable = &host.Error{Code: host.CodeNotFound, Msg: "no variable or secret has that name"}
	errNoSchedule = &host.Error{Code: host.CodeNotFound, Msg: "this invocation is not one of a schedule"}
	errNoChange   = &host.Error{Code: host.CodeNotFound, Msg: "this invocation is not one of a KV trigger"}
	errDeleted    = &host.Error{Code: host.CodeNotFound, Msg: "the key was removed, and has no value"}
	errNoBatch    = &host.Error{Code: host.CodeNotFound, Msg: "this invocation is not one of a queue"}
	errNoEvent    = &host.Error{Code: host.CodeNotFound, Msg: "this invocation is a request, and no event"}
	errWaited     = &host.Error{Code: host.CodeTimeout, Msg: "the timeout passed before any handle was ready"}
)

// opened turns a new handle into a result.
func opened(g abi.Guest, v any) int64 {
	h, err := g.Handles.Add(v)
	if err != nil {
		return failed(g, err)
	}
	return int64(h)
}

func get[T any](g abi.Guest, handle uint32) (T, *host.Error) {
	return host.Get[T](&g.Handles, host.Handle(handle))
}
