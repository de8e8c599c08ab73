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

// Instance is running code with one owner. Between Acquire and Recycle it
// belongs to one Call.
type Instance struct {
	snapshot *Snapshot
	limit    int64 // bytes of memory
	mod      api.Module
	region   *memory.Region
	fuel     api.MutableGlobal // nil in the simple engine, as is room
	room     api.MutableGlobal
	globals  []api.MutableGlobal // those of Snapshot.Globals
	entry    api.Function
	deep     bool  // the entry's native stack has grown
	spoiled  bool  // can't be put back: the Call failed
	counted  int64 // in Runtime.bytes
}

// instanceConfig leaves the name empty, because a named module could be imported
// from by another tenant's, and starts nothing by itself.
var instanceConfig = wazero.NewModuleConfig().WithName("").WithStartFunctions()

// Acquire takes an Instance in its first-ever state for a Call. The Snapshot
// is in use, which Recycle ends. The error is ErrNoRoom if the Budget is used up.
func (s *Snapshot) Acquire(c *host.Call) (*Instance, error) {
	if c.Memory == nil { // else that of the process which asked for the Invocation
		c.Memory = s.Budget
	}
	if !s.runtime.cfg.Simple && !s.begin(c) {
		return nil, context.Cause(c.Context())
	}
	c.Program = s.program
	c.Explainer = s.explainer()
	s.code.abi.Enter(c)
	i, err := s.instance(c)
	if err == nil && !i.region.Enter(c.Memory) {
		i.putBack()
		return nil, ErrNoRoom
	}
	return i, err
}

// begin waits until the guest may begin, and reports whether the Invocation was
// over before that.
func (s *Snapshot) begin(c *host.Call) bool {
	c.Pacer, c.Threads = s.runtime.turns, s.runtime.threads
	if c.Long = s.habit.long(); !c.Long {
		return s.runtime.starts.begin(c)
	}
	return !s.runtime.turns.take(c) || c.Spend(0) == nil
}

// instance takes one that is idle, or makes one.
func (s *Snapshot) instance(c *host.Call) (*Instance, error) {
	if i := s.pop(c.Limits.Memory); i != nil {
		return i, nil
	}
	if need := s.Memory(); need > c.Limits.Memory {
		return nil, errMemoryLimit(need, c.Limits.Memory)
	}
	if s.runtime.cfg.Simple {
		return s.newInstance(c.EngineContext(), c.Limits.Memory) // the start function runs while instantiating
	}
	defer c.Resume() // making an Instance is not the guest's work
	return s.newInstance(context.Background(), c.Limits.Memory)
}

func (s *Snapshot) newInstance(ctx context.Context, limit int64) (*Instance, error) {
	region, err := memory.NewRegion(s.image, limit)
	if err != nil {
		return nil, err
	}
	i := &Instance{snapshot: s, limit: limit, region: region}
	ctx = experimental.WithMemoryAllocator(ctx, region)
	if i.mod, err = s.runtime.engine.InstantiateModule(ctx, s.code.Module, instanceConfig); err != nil {
		region.Unmap()
		return nil, fmt.Errorf("instantiate: %w", err)
	}
	if err := i.bind(); err != nil {
		i.discard()
		return nil, err
	}
	i.count(s.Overhead)
	return i, nil
}

// bind finds what is used of the module in each request, once.
func (i *Instance) bind() error {
	i.fuel, _ = i.mod.ExportedGlobal(wasm.FuelExport).(api.MutableGlobal)
	i.room, _ = i.mod.ExportedGlobal(wasm.RoomExport).(api.MutableGlobal)
	for _, g := range i.snapshot.Globals {
		global, ok := i.mod.ExportedGlobal(g.Name).(api.MutableGlobal)
		if !ok {
			return fmt.Errorf("instantiate: the code has no global %s", g.Name)
		}
		i.globals = append(i.globals, global)
	}
	i.setGlobals()
	i.findEntry()
	return nil
}

// findEntry finds the entry point of requests, if there is one.
func (i *Instance) findEntry() {
	if entry := i.snapshot.code.plan.Entry; entry != "" {
		i.entry = i.mod.ExportedFunction(entry)
	}
}

func (i *Instance) setGlobals() {
	for n, g := range i.snapshot.Globals {
		i.globals[n].Set(g.Bits)
	}
}

// count changes what the Instance counts in Runtime.bytes.
func (i *Instance) count(bytes int64) {
	if bytes != i.counted {
		i.snapshot.runtime.add(bytes - i.counted)
		i.counted = bytes
	}
}

// Initialize runs the module's own initialisation, unless it is in the snapshot.
func (i *Instance) Initialize(c *host.Call) error {
	if i.snapshot.Initialized {
		return nil
	}
	for _, export := range []string{wasm.StartExport, i.snapshot.code.plan.Initialize} {
		if f := i.mod.ExportedFunction(export); export != "" && f != nil {
			if err := i.call(c, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run runs the entry point.
func (i *Instance) Run(c *host.Call) error {
	plan := &i.snapshot.code.plan
	switch {
	case c.Scheduled != nil:
		return i.runEvent(c, plan.Scheduled, "scheduled events", "scheduled")
	case c.Change != nil:
		return i.runEvent(c, plan.KV, "changes of KV namespaces", "kv")
	case c.Queue != nil:
		return i.runEvent(c, plan.Queue, "batches of queues", "queue")
	}
	if i.entry == nil {
		return host.Errorf(host.CodeUnsupported, "the module has no handler of requests: export a function \"fetch\"")
	}
	return i.call(c, i.entry)
}

// runEvent runs the entry point of an event that is no request, if there is one.
func (i *Instance) runEvent(c *host.Call, entry, events, wanted string) error {
	if entry == "" {
		return host.Errorf(host.CodeUnsupported, "the module has no handler of %s: export a function %q", events, wanted)
	}
	return i.call(c, i.mod.ExportedFunction(entry))
}

// call grants the first quantum and the call stack, and accounts for what is left
// of the last quantum.
func (i *Instance) call(c *host.Call, f api.Function) error {
	if i.fuel == nil {
		return f.CallWithStack(c.EngineContext(), nil)
	}
	stack, share := i.snapshot.code.stack, i.snapshot.code.share
	c.Share = share
	i.fuel.Set(uint64(quantum * share))
	i.room.Set(uint64(stack.Kept))
	c.Deep, c.MoreStack = false, stack.Most-stack.Kept
	err := f.CallWithStack(c, nil)
	c.Usage.Units += (quantum*share - int64(i.fuel.Get())) / share
	i.deep = i.deep || c.Deep
	return err
}

// Finish completes the answer after Run returned nil or the error that ended the
// guest, and says how it went. The error tells the log, never a client, why the
// Outcome is not ok.
func (i *Instance) Finish(c *host.Call, err error) (host.Outcome, error) {
	outcome := host.OutcomeOK
	if err = i.snapshot.code.abi.Leave(c, err); err != nil {
		outcome = judge(c, i.region.Refused, err)
		i.spoiled = true
		i.snapshot.explain(c.Context(), err)
	}
	c.Usage.PeakMemory = int64(i.region.Size())
	i.snapshot.habit.note(c, outcome)
	return outcome, err
}

// Recycle ends the Call's use of the Instance and of its Snapshot. After an
// Outcome of ok the Instance is put back into its first-ever state and waits for
// the next Call; in every other case it is never used again. This takes a few
// microseconds for which no client should have to wait. The Call has ended.
func (i *Instance) Recycle() {
	s := i.snapshot
	i.region.Leave()
	if i.spoiled || !i.reset() || !s.push(i) {
		i.discard()
	}
	s.Done()
}

// putBack keeps an Instance in which nothing has run yet, if that may be.
func (i *Instance) putBack() {
	if !i.snapshot.Initialized || !i.snapshot.push(i) {
		i.discard()
	}
}

// reset puts the Instance back, if that is possible.
func (i *Instance) reset() bool {
	if !i.snapshot.Initialized || !i.region.Shrink(i.mod.Memory()) {
		return false
	}
	i.region.Reset()
	i.setGlobals()
	i.forgetStack()
	i.count(i.snapshot.Overhead + i.region.Resident())
	return true
}

// discard frees the Instance. Its memory goes last: the module is not running
// any more.
func (i *Instance) discard() {
	i.count(0)
	i.mod.Close(context.Background())
	i.region.Unmap()
}
