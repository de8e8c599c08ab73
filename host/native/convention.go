package native

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/wasi"
)

type convention struct{ modules []*abi.Module }

// New returns the native ABI.
func New() abi.ABI {
	return &convention{[]*abi.Module{table(), wasi.Module()}}
}

func (c *convention) Name() string           { return "native " + Version }
func (c *convention) Modules() []*abi.Module { return c.modules }

// Match takes a module that imports from us or exports an entry point of ours.
func (c *convention) Match(s *abi.Shape) (abi.Plan, bool, error) {
	entry := exported(s, "fetch")
	if entry == "" && !importsOurs(s) {
		return abi.Plan{}, false, nil
	}
	plan := abi.Plan{Entry: entry, Scheduled: exported(s, "scheduled"), Queue: exported(s, "queue"), KV: exported(s, "kv"), Detached: s.ImportsFrom(Name, "respond_stream", "wait_until")}
	if _, ok := s.Export("_initialize"); ok {
		plan.Initialize = "_initialize"
	}
	return plan, true, complaint(s, plan)
}

func importsOurs(s *abi.Shape) bool {
	for _, i := range s.Imports {
		if i.Module == Name || strings.HasPrefix(i.Module, Name+"@") {
			return true
		}
	}
	return false
}

// complaint says what a module that follows this convention lacks.
func complaint(s *abi.Shape, plan abi.Plan) error {
	if plan.Handlers() == 0 {
		return fmt.Errorf("module exports no entry point: export a function \"fetch\" without parameters and results")
	}
	for _, name := range append([]string{"fetch", "_initialize"}, events...) {
		if f, ok := s.Export(name); ok && len(f.Params)+len(f.Results) > 0 {
			return fmt.Errorf("export %q must have no parameters and no results", name)
		}
	}
	if !s.Memory {
		return fmt.Errorf("module does not export its memory as \"memory\"")
	}
	return nil
}

// Enter shows a WASI guest the Function's text variables and secrets; its output goes to
// the log, which is what nil Stdout and Stderr mean.
func (c *convention) Enter(call *host.Call) {
	call.Env = call.Bindings.Environ
	if call.IsEvent() {
		call.Guest = nil // no failure yet
	}
}

// Leave judges how the entry point ended. What a WASI guest printed last goes to
// the log even if it lacks a line's end.
func (c *convention) Leave(call *host.Call, err error) error {
	wasi.Flush(call)
	if exit, ok := errors.AsType[abi.Exit](err); ok && exit.Code == 0 {
		err = nil // the guest ended in its own way
	}
	if err != nil {
		return err
	}
	if call.IsEvent() {
		return judgeEvent(call)
	}
	if !call.Responded {
		return host.Errorf(host.CodeState, "the guest returned without an answer: call respond or respond_stream before fetch returns")
	}
	return nil
}
