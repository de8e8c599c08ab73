package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/bytecodealliance/wasmtime-go/v44"
	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host"
)

// WasmtimeConfig says how wasmtime runs guests. What it does not mention has
// wasmtime's defaults: instances are allocated on demand, their memory is
// mapped copy-on-write. The pooling allocator is not offered to Go.
type WasmtimeConfig struct {
	// Epochs makes guests interruptible, as they must be on a server, and as
	// they are with Mayfly.
	Epochs bool
	// Wizer is the program that initialises guests ahead of requests; empty
	// initialises in each request.
	Wizer string
}

type wasmtimeEngine struct {
	cfg    WasmtimeConfig
	engine *wasmtime.Engine
	clock  *clock // nil without Epochs
}

// NewWasmtime starts an engine of wasmtime's.
func NewWasmtime(cfg WasmtimeConfig) Engine {
	config := wasmtime.NewConfig()
	config.SetEpochInterruption(cfg.Epochs)
	e := &wasmtimeEngine{cfg: cfg, engine: wasmtime.NewEngineWithConfig(config)}
	if cfg.Epochs {
		e.clock = startClock(e.engine)
	}
	return e
}

func (e *wasmtimeEngine) Name() string {
	name := "wasmtime"
	if e.cfg.Wizer != "" {
		name += ", pre-initialised"
	}
	if e.cfg.Epochs {
		name += ", epochs"
	}
	return name
}

func (e *wasmtimeEngine) Close() error {
	if e.clock != nil {
		e.clock.stop()
	}
	e.engine.Close()
	return nil
}

func (e *wasmtimeEngine) Prepare(ctx context.Context, g guests.Guest) (Prepared, error) {
	wasm, err := g.Module()
	if err != nil {
		return nil, err
	}
	module, err := wasmtime.NewModule(e.engine, wasm)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	if e.cfg.Wizer != "" {
		if module, err = e.initialised(ctx, module, wasm); err != nil {
			return nil, err
		}
	}
	linker, err := link(e.engine, module)
	if err != nil {
		return nil, err
	}
	return &wasmtimeGuest{
		engine: e, module: module, linker: linker, wasi: importsWASI(module),
		initialise: exports(module, initialise), body: []byte(g.Body),
	}, nil
}

// initialised is the module as it is after its initialisation. The first one is
// closed.
func (e *wasmtimeEngine) initialised(ctx context.Context, module *wasmtime.Module, wasm []byte) (*wasmtime.Module, error) {
	needed := exports(module, initialise)
	module.Close()
	if !needed {
		return nil, ErrNothingToDo
	}
	wasm, err := wizer(ctx, e.cfg.Wizer, wasm)
	if err != nil {
		return nil, err
	}
	if module, err = wasmtime.NewModule(e.engine, wasm); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return module, nil
}

// initialise is the export that a guest wants called before its entry point.
const initialise = "_initialize"

func exports(m *wasmtime.Module, name string) bool {
	return slices.ContainsFunc(m.Exports(), func(e *wasmtime.ExportType) bool { return e.Name() == name })
}

type wasmtimeGuest struct {
	engine           *wasmtimeEngine
	module           *wasmtime.Module
	linker           *wasmtime.Linker
	wasi, initialise bool
	body             []byte // of the request
}

// Answer makes a store and an instance for the request, as wasmtime's
// documentation recommends for isolation, and frees them.
func (g *wasmtimeGuest) Answer() (Reply, error) {
	c := call{body: g.body}
	store := wasmtime.NewStoreWithData(g.engine.engine, &c)
	defer store.Close()
	if g.engine.cfg.Epochs {
		store.SetEpochDeadline(uint64(host.DefaultLimits().Wall / tick))
	}
	if g.wasi {
		store.SetWasi(wasmtime.NewWasiConfig())
	}
	instance, err := g.linker.Instantiate(store, g.module)
	if err != nil {
		return Reply{}, fmt.Errorf("instantiate: %w", err)
	}
	c.memory = instance.GetExport(store, "memory").Memory()
	if g.initialise {
		if _, err := instance.GetFunc(store, initialise).Call(store); err != nil {
			return Reply{}, fmt.Errorf("initialise: %w", err)
		}
	}
	if _, err := instance.GetFunc(store, "fetch").Call(store); err != nil {
		return Reply{}, fmt.Errorf("call fetch: %w", err)
	}
	return c.reply, nil
}

func (g *wasmtimeGuest) Close() error {
	g.linker.Close()
	g.module.Close()
	return nil
}
