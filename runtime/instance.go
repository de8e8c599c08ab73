package runtime

import (
	"context"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Instance is running code with one owner. Between Acquire and Release it
// belongs to one Call.
type Instance struct {
	module *Module
	mod    api.Module
	memory memory.Limited
}

// instanceConfig leaves the name empty, because a named module could be imported
// from by another tenant's, and starts nothing by itself.
var instanceConfig = wazero.NewModuleConfig().WithName("").WithStartFunctions()

// Acquire makes an Instance in its first-ever state for a Call. The module is in
// use (see Use). An Instance is returned beside most errors too, and then is
// released as well.
func (m *Module) Acquire(c *host.Call) (*Instance, error) {
	if m.MinMemory > c.Limits.Memory {
		return nil, host.Errorf(host.CodeTooLarge, "the module needs %d bytes of memory; its limit is %d", m.MinMemory, c.Limits.Memory)
	}
	i := &Instance{module: m}
	i.memory.Limit = c.Limits.Memory
	ctx := experimental.WithMemoryAllocator(c.EngineContext(), &i.memory)
	var err error
	i.mod, err = m.engine.InstantiateModule(ctx, m.compiled, instanceConfig)
	return i, err
}

// Initialize runs the module's own initialisation.
func (i *Instance) Initialize(c *host.Call) error { return i.call(c, i.module.Plan.Initialize) }

// Run runs the entry point.
func (i *Instance) Run(c *host.Call) error { return i.call(c, i.module.Plan.Entry) }

func (i *Instance) call(c *host.Call, export string) error {
	if export == "" {
		return nil
	}
	_, err := i.mod.ExportedFunction(export).Call(c.EngineContext())
	return err
}

// Release ends the Instance and notes what it used.
func (i *Instance) Release(c *host.Call) {
	c.Usage.PeakMemory = i.memory.Peak
	if i.mod != nil {
		i.mod.Close(context.Background())
	}
}
