package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// Setup is what a Version gives to the initialisation of its module.
type Setup struct {
	Services *host.Services
	Bindings *host.Bindings
	Limits   host.Limits
	// Fresh takes no Snapshot: the module is initialised in each request.
	Fresh bool
	// Warmup are requests that the module answers before the Snapshot is taken,
	// so that what it does once is done. Their answers are dropped. KV and fetch
	// refuse during them, as during initialisation.
	Warmup []host.Request
}

// Prepare takes the Snapshot of a Version. Where the module can change what
// can't be put back, there is none: each Instance is made anew and initialised
// in its request.
func (m *Module) Prepare(ctx context.Context, setup Setup) (*Snapshot, error) {
	if m.code.plan.Once && len(setup.Warmup) > 0 {
		return nil, host.Errorf(host.CodeInvalid, "a WASI command can't be warmed up: each request runs its main from the beginning")
	}
	first, err := m.firstState()
	if err != nil {
		return nil, err
	}
	if m.runtime.cfg.Simple || setup.Fresh || !m.facts.Resettable() {
		return first, nil
	}
	s, err := first.initializeSomewhere(ctx, setup)
	return s, errors.Join(err, first.Close())
}

// What an Instance takes in the engine, beside its memory: measured with Go and
// C guests, of which the first have tables of thousands of functions.
const (
	instanceOverhead = 24 << 10
	elementOverhead  = 56
	// interpreterOverhead is the native stack of the interpreter, which is 128 KiB after
	// its first request, and as much again that the garbage collector lets lie.
	interpreterOverhead = 256 << 10
)

// firstState is the module as its author wrote it, or the started engine for a Program.
func (m *Module) firstState() (*Snapshot, error) {
	if m.program == nil || !m.runtime.hasBase() {
		return m.unstarted()
	}
	b, err := m.runtime.base()
	if err != nil {
		return nil, err
	}
	state := m.state()
	state.Globals = b.started.globals
	return keepSnapshot(m.runtime, m.code, m.Digest, b.started.image.Share(), state, m.program)
}

// unstarted is the module before anything of it has run.
func (m *Module) unstarted() (*Snapshot, error) {
	contents := make([]byte, int64(m.image.MemoryPages)*pageSize)
	m.image.Apply(contents)
	return newSnapshot(m.runtime, m.code, m.Digest, contents, m.state(), m.program)
}

// state is what there is beside the image, before the module was initialised.
func (m *Module) state() snapshotState {
	state := snapshotState{
		Globals:  m.image.Globals,
		Overhead: instanceOverhead + elementOverhead*int64(m.facts.Elements),
		Detaches: m.detaches, Mapped: m.mapped,
	}
	if m.program != nil {
		state.Engine = m.runtime.interpreter.identity()
		state.Overhead += interpreterOverhead
	}
	return state
}

// initialize runs the module's initialisation once, and requests to warm it up,
// and keeps the result.
func (s *Snapshot) initialize(ctx context.Context, setup Setup) (*Snapshot, error) {
	i, err := s.newInstance(ctx, setup.Limits.Memory)
	if err != nil {
		return nil, err
	}
	defer i.discard()
	handlers, err := i.sealed(ctx, setup, host.Request{}, i.Initialize)
	if err != nil {
		return nil, s.initializationError(err)
	}
	for _, request := range setup.Warmup {
		if _, err := i.sealed(ctx, setup, request, i.Run); err != nil {
			return nil, host.Errorf(host.CodeInvalid, "the warm-up request %s %s failed: %s", request.Method, request.URL, s.reason(err))
		}
	}
	return i.capture(handlers)
}

// initializationError says to the author of a module what is wrong with it.
func (s *Snapshot) initializationError(err error) error {
	if failure, ok := errors.AsType[*js.Failure](err); ok {
		failure.Stack = js.MapStack(s.program, failure.Stack)
		return host.Errorf(host.CodeInvalid, "%v", failure)
	}
	return host.Errorf(host.CodeInvalid, "the module's initialisation failed: %s", s.reason(err))
}

// reason is an error of the engine for the author of the module: with the guest's stack,
// unless that is one of the interpreter of a program.
func (s *Snapshot) reason(err error) string {
	text, stack, _ := strings.Cut(host.OfGuest(err.Error()), "\n")
	text = strings.TrimSuffix(text, " (recovered by wazero)")
	if stack == "" || s.program != nil {
		return text
	}
	return text + "\n" + stack
}

// sealed runs part of a guest in a Call that has no effects outside and sees
// nothing that must not be kept, and returns what the guest says that it handles.
func (i *Instance) sealed(ctx context.Context, setup Setup, request host.Request, run func(*host.Call) error) (host.Handlers, error) {
	c := sealedCall(setup)
	c.Request, c.Program, c.Threads = request, i.snapshot.program, i.snapshot.runtime.threads
	c.Begin(ctx)
	i.snapshot.code.abi.Enter(c)
	err := run(c)
	open := c.Handles.Open()
	c.End(err)
	if err == nil && open > 0 && request.URL == nil {
		err = fmt.Errorf("%d handles are left open", open)
	}
	return c.Handlers, err
}

// capture makes a Snapshot of an Instance as it stands.
func (i *Instance) capture(handlers host.Handlers) (*Snapshot, error) {
	s := i.snapshot
	state := snapshotState{Initialized: true, Handlers: handlers, Overhead: s.Overhead, Engine: s.Engine, Detaches: s.Detaches, Mapped: s.Mapped, Globals: i.currentGlobals()}
	return newSnapshot(s.runtime, s.code, s.Module, i.region.Bytes(), state, nil)
}

func (i *Instance) currentGlobals() (list []wasm.GlobalValue) {
	for n, g := range i.snapshot.Globals {
		g.Bits = i.globals[n].Get()
		list = append(list, g)
	}
	return list
}
