package runtime

import (
	"context"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
)

// code is one compiled artefact. Modules that differ only in data and initial
// globals share it.
type code struct {
	digest   kv.Digest // of the rewritten module
	compiled wazero.CompiledModule
	modules  int // that hold it; guarded by Runtime.mu
}

// rewriting is what every module undergoes before it is compiled.
var rewriting = wasm.Options{
	Meter:         true,
	ExportGlobals: true,
	Split:         true,
	ExportStart:   true,
	TableLimit:    100_000,
	DropCustoms:   true,
	Replace:       map[string]wasm.Replacement{"runtime.rand": {Module: wasm.TickModule, Name: goRandName, GoUint64: true}},
}

// rewrite takes a parsed module apart into code that many may share and what is
// its own. The result refers to data, from which the module was parsed.
func (r *Runtime) rewrite(m *wasm.Module, data []byte) (*wasm.Rewritten, error) {
	if r.cfg.Simple {
		return &wasm.Rewritten{Code: data}, nil
	}
	rewritten, err := m.Rewrite(rewriting)
	if err != nil {
		return nil, host.Errorf(host.CodeInvalid, "the module can't be run here: %v", err)
	}
	return rewritten, nil
}

// acquireCode compiles code that nobody holds yet, and holds it for a module.
// What others compiled may be dropped again before it is held here.
func (r *Runtime) acquireCode(ctx context.Context, rewritten []byte) (*code, error) {
	digest := kv.DigestOf(rewritten)
	for {
		if c := r.holdCode(digest); c != nil {
			return c, nil
		}
		_, err, _ := r.flight.Do("code "+string(digest[:]), func() (any, error) {
			return nil, r.compileCode(ctx, digest, rewritten)
		})
		if err != nil {
			return nil, err
		}
	}
}

func (r *Runtime) compileCode(ctx context.Context, digest kv.Digest, rewritten []byte) error {
	if r.codeOf(digest) != nil {
		return nil
	}
	compiled, err := r.compileBytes(ctx, rewritten)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.codes[digest] = &code{digest: digest, compiled: compiled}
	return nil
}

func (r *Runtime) compileBytes(ctx context.Context, rewritten []byte) (wazero.CompiledModule, error) {
	if r.cfg.Code != nil {
		return r.cfg.Code.Load(ctx, r.engine, rewritten)
	}
	compiled, err := r.engine.CompileModule(ctx, rewritten)
	if err != nil {
		return nil, host.Errorf(host.CodeInvalid, "the module is not valid WebAssembly: %v", err)
	}
	return compiled, nil
}

func (r *Runtime) codeOf(d kv.Digest) *code {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.codes[d]
}

func (r *Runtime) holdCode(d kv.Digest) *code {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.codes[d]
	if c != nil {
		c.modules++
	}
	return c
}

// dropCode gives a hold back; the last one frees the code.
func (r *Runtime) dropCode(ctx context.Context, c *code) error {
	r.mu.Lock()
	c.modules--
	last := c.modules == 0
	if last {
		delete(r.codes, c.digest)
	}
	r.mu.Unlock()
	if !last {
		return nil
	}
	return c.compiled.Close(ctx)
}
