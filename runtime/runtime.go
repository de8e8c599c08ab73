package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/tetratelabs/wazero"
	"golang.org/x/sync/singleflight"
)

// DefaultMaxModule is the largest module that is accepted, in bytes.
const DefaultMaxModule = 64 << 20

// Config configures a Runtime.
type Config struct {
	ABIs      []abi.ABI // in the order in which modules are offered to them
	MaxModule int64     // bytes; DefaultMaxModule if 0
	// Simple runs modules as they are, with an instance made for each request
	// and the engine's own checks of deadlines: the reference that everything
	// else is measured against.
	Simple bool
	// Code compiles in another process and keeps the result on disk. Nil compiles
	// here. Not with Simple.
	Code CodeCache
	// Isolation runs guests in other processes. Nil runs them here. Only with Code.
	Isolation Isolation
	// Whole keeps the image of a Worker whole, and not what it has beside others: for a
	// process that runs no other.
	Whole bool
	// Programs finds the source maps of JavaScript Workers that fail; nil if stack
	// traces are to stay as they are.
	Programs Programs
}

// CodeCache has machine code; see compile.Cache for what the methods promise.
type CodeCache interface {
	RuntimeConfig() wazero.RuntimeConfig
	Load(ctx context.Context, engine wazero.Runtime, code []byte) (compile.Compiled, error)
	Recall(ctx context.Context, engine wazero.Runtime, digest [sha256.Size]byte) (compile.Compiled, error)
}

func (c *Config) engine() wazero.RuntimeConfig {
	if c.Code != nil {
		return c.Code.RuntimeConfig()
	}
	return wazero.NewRuntimeConfig().WithCloseOnContextDone(c.Simple)
}

// Runtime compiles modules, equal code once, and owns what runs them. It is
// safe for concurrent use.
type Runtime struct {
	cfg     Config
	engine  wazero.Runtime
	offered map[string]*abi.Module
	starts  *starts
	turns   *turns
	threads host.ThreadClock // nil if there is none that is exact
	flight  singleflight.Group
	bytes   atomic.Int64 // see Bytes
	room    room

	interpreter *interpreter // of JavaScript

	mu    sync.Mutex          // guards codes
	codes map[kv.Digest]*code // by the digest of the rewritten module
}

// New starts a Runtime. Close it when no Module of it is in use any more.
func New(ctx context.Context, cfg Config) (*Runtime, error) {
	if cfg.MaxModule == 0 {
		cfg.MaxModule = DefaultMaxModule
	}
	r := &Runtime{
		cfg:     cfg,
		engine:  wazero.NewRuntimeWithConfig(ctx, cfg.engine()),
		offered: map[string]*abi.Module{},
		starts:  newStarts(),
		turns:   newTurns(),
		threads: newThreadClock(),
		codes:   map[kv.Digest]*code{},

		interpreter: newInterpreter(),
	}
	if err := abi.Register(ctx, r.engine, engineModule(r.turns)); err != nil {
		r.engine.Close(ctx)
		return nil, err
	}
	for _, a := range cfg.ABIs {
		if err := r.offer(ctx, a); err != nil {
			r.engine.Close(ctx)
			return nil, err
		}
	}
	return r, nil
}

// offer registers the host modules of an ABI; two ABIs may share one.
func (r *Runtime) offer(ctx context.Context, a abi.ABI) error {
	for _, m := range a.Modules() {
		if _, ok := r.offered[m.Name]; ok {
			continue
		}
		if err := abi.Register(ctx, r.engine, m); err != nil {
			return err
		}
		r.offered[m.Name] = m
	}
	return nil
}

// Restores says whether Restore can find code that is not in memory: whether it
// is worth to keep Snapshots.
func (r *Runtime) Restores() bool { return r.cfg.Code != nil }

// Bytes is how much memory code, images and idle Instances take, about, and other
// processes before their first request.
func (r *Runtime) Bytes() int64 {
	if r.cfg.Isolation != nil {
		return r.bytes.Load() + r.cfg.Isolation.Bytes()
	}
	return r.bytes.Load()
}

// room is told when Instances become too many.
type room struct {
	most int64 // bytes
	want func()
}

// Within has want called whenever an Instance is idle and Bytes is above most. It must
// not wait. Call Within before the first Load.
func (r *Runtime) Within(most int64, want func()) { r.room = room{most, want} }

// add changes Bytes by what an Instance takes.
func (r *Runtime) add(bytes int64) {
	if now := r.bytes.Add(bytes); bytes > 0 && r.room.want != nil && now > r.room.most {
		r.room.want()
	}
}

// Close frees all code. Invocations must have ended.
func (r *Runtime) Close(ctx context.Context) error {
	err := r.engine.Close(ctx)
	if err = errors.Join(err, r.interpreter.base.close()); err != nil {
		return fmt.Errorf("close engine: %w", err)
	}
	return nil
}
