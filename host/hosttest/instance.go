package hosttest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Invocation is what a test gives to a guest. Zero fields have defaults.
type Invocation struct {
	Request  host.Request
	Services *host.Services  // Services(t) if nil
	Bindings *host.Bindings  // Function "test" without capabilities if nil
	Limits   host.Limits     // host.DefaultLimits where unset, but for Wall, which is an hour
	Parent   context.Context // t.Context() if nil
	Recorder *Recorder       // a new one if nil
	// Scheduled is a scheduled event, for which Request stands; nil if there is none.
	Scheduled *host.Scheduled
	// Change and Queue are events of that kind.
	Change *host.KVChange
	Queue  *host.QueueBatch
}

// Result is what became of an Invocation.
type Result struct {
	*Recorder
	Log   []LogEntry // empty if the Invocation's services have another LogSink
	Err   error      // what Leave returned
	Usage host.Usage
}

// Instance is a running guest with the one Call that serves all of its
// Invocations, one after the other.
type Instance struct {
	guest       *Guest
	module      api.Module
	initialized bool
	call        host.Call
}

// Instantiate makes an instance without running any of its code.
func (g *Guest) Instantiate(t testing.TB) *Instance {
	t.Helper()
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	m, err := g.runtime.InstantiateModule(context.Background(), g.module, cfg)
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	return &Instance{guest: g, module: m}
}

// Close frees the instance.
func (i *Instance) Close() error { return i.module.Close(context.Background()) }

// Invoke runs one Invocation from its beginning to its end. An instance that
// was used before is not put back into its first state, but its Call is.
func (i *Instance) Invoke(t testing.TB, inv Invocation) Result {
	t.Helper()
	c := i.Begin(t, inv)
	i.guest.abi.Enter(c)
	err := i.guest.abi.Leave(c, i.run())
	return i.end(err)
}

func (i *Instance) run() error {
	if name := i.guest.plan.Initialize; name != "" && !i.initialized {
		if _, err := i.Do(name); err != nil {
			return fmt.Errorf("initialise: %w", err)
		}
		i.initialized = true
	}
	entry := i.guest.plan.Entry
	switch {
	case i.call.Scheduled != nil:
		entry = i.guest.plan.Scheduled
	case i.call.Change != nil:
		entry = i.guest.plan.KV
	case i.call.Queue != nil:
		entry = i.guest.plan.Queue
	}
	_, err := i.Do(entry)
	return err
}

// Begin sets up the Call of an Invocation in which the test itself plays the
// guest by means of Do. End ends it; Invoke does all of that on its own.
func (i *Instance) Begin(t testing.TB, inv Invocation) *host.Call {
	c := &i.call
	c.Reset()
	c.ID, c.Request, c.Scheduled = "test-request", inv.Request, inv.Scheduled
	c.Change, c.Queue = inv.Change, inv.Queue
	if c.Services = inv.Services; c.Services == nil {
		c.Services = Services(t)
	}
	if c.Bindings = inv.Bindings; c.Bindings == nil {
		c.Bindings = &host.Bindings{Account: "local", Function: "test", Version: "1"}
	}
	c.Limits = inv.Limits.Or(host.Limits{Wall: time.Hour}).Or(host.DefaultLimits())
	c.Responder = inv.Recorder
	if inv.Recorder == nil {
		c.Responder = new(Recorder)
	}
	parent := inv.Parent
	if parent == nil {
		parent = t.Context()
	}
	c.Begin(parent)
	return c
}

// Do calls an export under the Call of the Invocation that has begun.
func (i *Instance) Do(export string, args ...uint64) ([]uint64, error) {
	f := i.module.ExportedFunction(export)
	if f == nil {
		return nil, fmt.Errorf("the guest exports no function %q", export)
	}
	return f.Call(i.call.EngineContext(), args...)
}

// Memory is the guest's memory, or nil.
func (i *Instance) Memory() api.Memory { return i.module.Memory() }

// End ends the Invocation that Begin began.
func (i *Instance) End() Result { return i.end(nil) }

func (i *Instance) end(err error) Result {
	c := &i.call
	c.End(err)
	result := Result{Recorder: c.Responder.(*Recorder), Err: err, Usage: c.Usage}
	if log, ok := c.Services.Log.(*Log); ok {
		result.Log = log.Entries()
	}
	return result
}
