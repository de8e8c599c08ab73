package runtime

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Instance is running code with one owner. Between Acquire and Release it
// belongs to one Call.
type Instance struct {
	snapshot *Snapshot
	limit    int64 // bytes of memory
	mod      api.Module
	region   *memory.Region
	fuel     api.MutableGlobal   // nil in the simple engine
	globals  []api.MutableGlobal // those of Snapshot.globals
	entry    api.Function
}

// instanceConfig leaves the name empty, because a named module could be imported
// from by another tenant's, and starts nothing by itself.
var instanceConfig = wazero.NewModuleConfig().WithName("").WithStartFunctions()

// Acquire takes an Instance in its first-ever state for a Call. The Snapshot
// is in use.
func (s *Snapshot) Acquire(c *host.Call) (*Instance, error) {
	if i := s.pop(c.Limits.Memory); i != nil {
		return i, nil
	}
	if s.Module.MinMemory > c.Limits.Memory {
		return nil, host.Errorf(host.CodeTooLarge, "the module needs %d bytes of memory; its limit is %d", s.Module.MinMemory, c.Limits.Memory)
	}
	ctx := context.Background()
	if s.Module.runtime.cfg.Simple {
		ctx = c.EngineContext() // the start function runs while instantiating
	}
	return s.newInstance(ctx, c.Limits.Memory)
}

// pop takes the instance that was used last, whose memory is the warmest.
func (s *Snapshot) pop(limit int64) *Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 || s.idle[n-1].limit != limit {
		return nil
	}
	i := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return i
}

func (s *Snapshot) newInstance(ctx context.Context, limit int64) (*Instance, error) {
	region, err := memory.NewRegion(s.image, limit)
	if err != nil {
		return nil, err
	}
	i := &Instance{snapshot: s, limit: limit, region: region}
	ctx = experimental.WithMemoryAllocator(ctx, region)
	if i.mod, err = s.Module.runtime.engine.InstantiateModule(ctx, s.Module.code.compiled, instanceConfig); err != nil {
		region.Unmap()
		return nil, fmt.Errorf("instantiate: %w", err)
	}
	i.fuel, _ = i.mod.ExportedGlobal(wasm.FuelExport).(api.MutableGlobal)
	for _, g := range s.globals {
		i.globals = append(i.globals, i.mod.ExportedGlobal(g.Name).(api.MutableGlobal))
	}
	i.setGlobals()
	i.entry = i.mod.ExportedFunction(s.Module.Plan.Entry)
	return i, nil
}

func (i *Instance) setGlobals() {
	for n, g := range i.snapshot.globals {
		i.globals[n].Set(g.Bits)
	}
}

// Initialize runs the module's own initialisation, unless it is in the snapshot.
func (i *Instance) Initialize(c *host.Call) error {
	if i.snapshot.initialized {
		return nil
	}
	for _, export := range []string{wasm.StartExport, i.snapshot.Module.Plan.Initialize} {
		if f := i.mod.ExportedFunction(export); export != "" && f != nil {
			if err := i.call(c, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run runs the entry point.
func (i *Instance) Run(c *host.Call) error { return i.call(c, i.entry) }

// call grants the first quantum and accounts for what is left of the last.
func (i *Instance) call(c *host.Call, f api.Function) error {
	if i.fuel == nil {
		return f.CallWithStack(c.EngineContext(), nil)
	}
	i.fuel.Set(uint64(quantum))
	err := f.CallWithStack(c, nil)
	c.Usage.Units += quantum - int64(i.fuel.Get())
	return err
}

// Release ends the Call's use of the Instance. After an Outcome of ok the
// Instance is put back into its first-ever state and waits for the next Call;
// in every other case it is never used again.
func (i *Instance) Release(c *host.Call, outcome host.Outcome) {
	c.Usage.PeakMemory = int64(i.region.Size())
	if outcome != host.OutcomeOK || !i.reset() || !i.snapshot.push(i) {
		i.discard()
	}
}

// reset puts the Instance back, if that is possible.
func (i *Instance) reset() bool {
	if !i.snapshot.initialized || i.region.Grown() {
		return false
	}
	i.region.Reset()
	i.setGlobals()
	return true
}

func (s *Snapshot) push(i *Instance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) >= maxIdle {
		return false
	}
	s.idle = append(s.idle, i)
	return true
}

// discard frees the Instance. Its memory goes last: the module is not running
// any more.
func (i *Instance) discard() {
	i.mod.Close(context.Background())
	i.region.Unmap()
}
