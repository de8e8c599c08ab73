package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// maxIdle is how many instances of one Snapshot wait for the next request.
const maxIdle = 64

// Snapshot is what the Instances of one Version begin with: the memory and the
// globals of its module after initialisation, taken once. It is safe for
// concurrent use.
type Snapshot struct {
	Module *Module

	image   *memory.Image
	globals []wasm.GlobalValue
	// initialized: the module's own initialisation is in the image.
	initialized bool

	// inUse is read-locked by each Invocation, so that Close waits for them.
	inUse  sync.RWMutex
	closed bool // guarded by inUse

	mu   sync.Mutex  // guards idle
	idle []*Instance // ready, last in first out
}

// ErrClosed: the Snapshot is being freed, because another Version serves.
var ErrClosed = errors.New("snapshot was closed")

// Use keeps the Snapshot until Done, and reports whether it still is there. It
// does not wait.
func (s *Snapshot) Use() bool {
	if !s.inUse.TryRLock() {
		return false
	}
	if s.closed {
		s.inUse.RUnlock()
		return false
	}
	return true
}

// Done ends what Use began.
func (s *Snapshot) Done() { s.inUse.RUnlock() }

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
	if m.Plan.Once && len(setup.Warmup) > 0 {
		return nil, host.Errorf(host.CodeInvalid, "a WASI command can't be warmed up: each request runs its main from the beginning")
	}
	first, err := m.firstState()
	if err != nil {
		return nil, err
	}
	if m.runtime.cfg.Simple || setup.Fresh || !m.facts.Resettable() {
		return first, nil
	}
	s, err := first.initialize(ctx, setup)
	return s, errors.Join(err, first.Close())
}

// firstState is the module as its author wrote it.
func (m *Module) firstState() (*Snapshot, error) {
	contents := make([]byte, int64(m.image.MemoryPages)*pageSize)
	m.image.Apply(contents)
	image, err := memory.NewImage(contents)
	if err != nil {
		return nil, err
	}
	return &Snapshot{Module: m, image: image, globals: m.image.Globals}, nil
}

// initialize runs the module's initialisation once, and requests to warm it up,
// and keeps the result.
func (s *Snapshot) initialize(ctx context.Context, setup Setup) (*Snapshot, error) {
	i, err := s.newInstance(ctx, setup.Limits.Memory)
	if err != nil {
		return nil, err
	}
	defer i.discard()
	if err := i.sealed(ctx, setup, host.Request{}, i.Initialize); err != nil {
		return nil, host.Errorf(host.CodeInvalid, "the module's initialisation failed: %v", err)
	}
	for _, request := range setup.Warmup {
		if err := i.sealed(ctx, setup, request, i.Run); err != nil {
			return nil, host.Errorf(host.CodeInvalid, "the warm-up request %s %s failed: %v", request.Method, request.URL, err)
		}
	}
	return i.capture()
}

// sealed runs part of a guest in a Call that has no effects outside and sees
// nothing that must not be kept.
func (i *Instance) sealed(ctx context.Context, setup Setup, request host.Request, run func(*host.Call) error) error {
	c := sealedCall(setup)
	c.Request = request
	c.Begin(ctx)
	i.snapshot.Module.ABI.Enter(c)
	err := run(c)
	open := c.Handles.Open()
	c.End(err)
	if err == nil && open > 0 && request.URL == nil {
		err = fmt.Errorf("%d handles are left open", open)
	}
	return err
}

// capture makes a Snapshot of an Instance as it stands.
func (i *Instance) capture() (*Snapshot, error) {
	image, err := memory.NewImage(i.region.Bytes())
	if err != nil {
		return nil, fmt.Errorf("take snapshot: %w", err)
	}
	s := &Snapshot{Module: i.snapshot.Module, image: image, initialized: true}
	for n, g := range i.snapshot.globals {
		g.Bits = i.globals[n].Get()
		s.globals = append(s.globals, g)
	}
	return s, nil
}

// Close waits for Invocations and frees the Snapshot. The Module stays.
func (s *Snapshot) Close() error {
	s.inUse.Lock()
	defer s.inUse.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for _, i := range s.idle {
		i.discard()
	}
	s.idle = nil
	return s.image.Close()
}
