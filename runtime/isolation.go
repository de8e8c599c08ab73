package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/memory"
)

// Isolation runs guests in other processes, which this one does not trust. It is
// safe for concurrent use.
type Isolation interface {
	// Initialize runs the initialisation of a module and its warm-up requests, and
	// returns the memory and globals that it leaves. The Call has begun; it is what
	// the guest reaches. The error is that of Snapshot.Initialize.
	Initialize(ctx context.Context, p *Parcel, setup Setup, c *host.Call) (Initialized, error)
	// Open prepares to run Invocations, without the work of it.
	Open(p *Parcel) (Remote, error)
	// Bytes is what the processes take before their first request.
	Bytes() int64
}

// Remote runs the Instances of one Snapshot elsewhere. It is safe for concurrent use.
type Remote interface {
	// Invoke is Snapshot.Invoke, but for the end of the Call.
	Invoke(c *host.Call) (host.Outcome, error)
	// Close waits for nothing: no Invocation is under way.
	Close()
}

// Parcel is what another process needs to make the same Snapshot.
type Parcel struct {
	Code    kv.Digest // of the rewritten module
	Module  kv.Digest
	State   []byte // for Unpack, as is Program
	Program []byte
	Image   *memory.Image // the Snapshot's
}

// Initialized is what the initialisation of a module leaves.
type Initialized struct {
	Memory  []byte
	Globals []uint64 // their bits, in the order of the Snapshot's
	// Handlers are what the module says that it handles; 0 if it says nothing.
	Handlers host.Handlers
}

// parcel belongs to the Snapshot.
func (s *Snapshot) parcel() (*Parcel, error) {
	state, err := json.Marshal(s.snapshotState)
	if err != nil {
		return nil, fmt.Errorf("pack snapshot: %w", err)
	}
	return &Parcel{Code: s.code.digest, Module: s.Module, State: state, Program: s.program, Image: s.image}, nil
}

// Unpack makes a Snapshot of a Parcel and the rewritten module. It takes the image
// over.
func (r *Runtime) Unpack(ctx context.Context, p *Parcel, module []byte) (*Snapshot, error) {
	var state snapshotState
	if err := json.Unmarshal(p.State, &state); err != nil {
		return nil, fmt.Errorf("unpack snapshot: %w", err)
	}
	c, err := r.acquireCode(ctx, module)
	if err != nil {
		return nil, err
	}
	if c.digest != p.Code {
		return nil, errors.Join(errors.New("unpack snapshot: another module's code"), r.dropCode(c))
	}
	r.bytes.Add(p.Image.Resident())
	return &Snapshot{Module: p.Module, runtime: r, code: c, image: p.Image, program: p.Program, snapshotState: state}, nil
}

// Initialize runs the module's initialisation once, and requests to warm it up. The
// error is an *host.Error if the module is to blame.
func (s *Snapshot) Initialize(ctx context.Context, setup Setup) (Initialized, error) {
	next, err := s.initialize(ctx, setup)
	if err != nil {
		return Initialized{}, err
	}
	done := Initialized{Handlers: next.Handlers}
	for _, g := range next.Globals {
		done.Globals = append(done.Globals, g.Bits)
	}
	done.Memory, err = next.image.Contents()
	return done, errors.Join(err, next.Close())
}

// openRemote lets the Snapshot's Instances run elsewhere. If it can't, the Snapshot
// is closed.
func (s *Snapshot) openRemote() error {
	p, err := s.parcel()
	if err == nil {
		s.remote, err = s.runtime.cfg.Isolation.Open(p)
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

func (s *Snapshot) initializeSomewhere(ctx context.Context, setup Setup) (*Snapshot, error) {
	if s.remote == nil {
		return s.initialize(ctx, setup)
	}
	p, err := s.parcel()
	if err != nil {
		return nil, err
	}
	c := sealedCall(setup)
	c.Begin(ctx)
	done, err := s.runtime.cfg.Isolation.Initialize(ctx, p, setup, c)
	c.End(err)
	if err != nil {
		return nil, err
	}
	return s.initialized(done, setup.Limits.Memory)
}

// initialized makes the Snapshot that another process says there is. Where it does
// not tell the truth, that harms the Version alone.
func (s *Snapshot) initialized(done Initialized, limit int64) (*Snapshot, error) {
	size := int64(len(done.Memory))
	if size%pageSize != 0 || size < s.Memory() || size > max(limit, s.Memory()) || len(done.Globals) != len(s.Globals) {
		return nil, fmt.Errorf("initialise in another process: %d bytes and %d globals came back", size, len(done.Globals))
	}
	state := s.snapshotState
	state.Initialized, state.Handlers, state.Globals = true, done.Handlers, slices.Clone(s.Globals)
	for n := range state.Globals {
		state.Globals[n].Bits = done.Globals[n]
	}
	return newSnapshot(s.runtime, s.code, s.Module, done.Memory, state, nil)
}

// invokeAway is Invoke in another process.
func (s *Snapshot) invokeAway(c *host.Call) (outcome host.Outcome, err error) {
	defer func() { c.End(err) }()
	c.Pause() // the time until it answers is not the guest's
	need := s.Memory()
	if need > c.Limits.Memory {
		return host.OutcomeInternalError, errMemoryLimit(need, c.Limits.Memory)
	}
	if !s.Budget.Take(need) {
		return host.OutcomeLoadShed, ErrNoRoom
	}
	defer s.Budget.Give(need)
	c.Memory, c.Explainer = s.Budget, s.explainer()
	outcome, err = s.remote.Invoke(c)
	s.explain(c.Context(), err)
	return outcome, err
}

func errMemoryLimit(need, limit int64) error {
	return host.Errorf(host.CodeTooLarge, "the module needs %d bytes of memory; its limit is %d", need, limit)
}
