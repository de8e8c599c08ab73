package runtime

import (
	"context"
	"errors"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/tetratelabs/wazero"
)

// ErrUnloaded: the module's code is being freed; load it again.
var ErrUnloaded = errors.New("module was unloaded")

// Module is compiled code. It never runs; its Instances do. It is safe for
// concurrent use.
type Module struct {
	Digest kv.Digest
	ABI    abi.ABI
	Plan   abi.Plan
	// MinMemory is what an Instance needs at least, in bytes.
	MinMemory int64

	engine   wazero.Runtime
	compiled wazero.CompiledModule

	// inUse is read-locked while the module is in use, so that close waits.
	inUse  sync.RWMutex
	closed bool // guarded by inUse
}

// Use keeps the module's code in memory until Done, and reports whether it still
// is there. It does not wait.
func (m *Module) Use() bool {
	if !m.inUse.TryRLock() {
		return false
	}
	if m.closed {
		m.inUse.RUnlock()
		return false
	}
	return true
}

// Done ends what Use began.
func (m *Module) Done() { m.inUse.RUnlock() }

func (r *Runtime) compile(ctx context.Context, digest kv.Digest, data []byte) (*Module, error) {
	facts, err := r.check(data)
	if err != nil {
		return nil, err
	}
	compiled, err := r.engine.CompileModule(ctx, data)
	if err != nil {
		return nil, host.Errorf(host.CodeInvalid, "the module is not valid WebAssembly: %v", err)
	}
	m := &Module{Digest: digest, engine: r.engine, compiled: compiled, MinMemory: int64(facts.Memory.Min) * pageSize}
	if m.ABI, m.Plan, err = r.match(abi.ShapeOf(compiled)); err != nil {
		compiled.Close(ctx)
		return nil, err
	}
	r.mu.Lock()
	r.modules[digest] = m
	r.mu.Unlock()
	return m, nil
}

// match finds the ABI that a module follows.
func (r *Runtime) match(s *abi.Shape) (abi.ABI, abi.Plan, error) {
	if err := r.checkSignatures(s); err != nil {
		return nil, abi.Plan{}, err
	}
	for _, a := range r.cfg.ABIs {
		plan, ok, err := a.Match(s)
		if err != nil {
			return nil, abi.Plan{}, host.Errorf(host.CodeInvalid, "%v", err)
		}
		if ok {
			return a, plan, nil
		}
	}
	return nil, abi.Plan{}, host.Errorf(host.CodeInvalid,
		"the module has no entry point: export \"fetch\" (native ABI) or \"_start\" (WASI command)")
}

// pageSize is the unit in which modules count their memory.
const pageSize = 64 << 10

func (m *Module) close(ctx context.Context) error {
	m.inUse.Lock()
	defer m.inUse.Unlock()
	m.closed = true
	return m.compiled.Close(ctx)
}
