package runtime

import (
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// code is one compiled artefact, and how it is run. Modules that differ only in
// data, initial globals and the size of their memory share it. It lives as long
// as Modules and Snapshots hold it.
type code struct {
	compile.Compiled
	digest  kv.Digest // of the rewritten module
	abi     abi.ABI
	plan    abi.Plan
	stack   abi.Stack
	share   int64 // metered units in one unit of work
	bytes   int64 // of memory, about
	holders int   // guarded by Runtime.mu
}

// rewriteVersion tells Snapshots that were taken of modules rewritten otherwise.
// Raise it when rewriting, or what initialisation does, changes: what nodes have
// kept is then made again.
const rewriteVersion = 5

// rewriting is what every module undergoes before it is compiled.
var rewriting = wasm.Options{
	Meter:          true,
	ExportGlobals:  true,
	Split:          true,
	FloatingMemory: true,
	ExportStart:    true,
	TableLimit:     100_000,
	DropCustoms:    true,
	Replace:        map[string]wasm.Replacement{"runtime.rand": {Module: wasm.TickModule, Name: goRandName, GoUint64: true}},
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

// acquireCode holds the code of a rewritten module, which is compiled if nobody
// holds it yet.
func (r *Runtime) acquireCode(ctx context.Context, rewritten []byte) (*code, error) {
	return r.holdOrLoad(kv.DigestOf(rewritten), "compile ", func() (compile.Compiled, error) {
		return r.compileBytes(ctx, rewritten)
	})
}

// recallCode holds code of which only the digest is known. The error is
// compile.ErrNotKept if it is neither in memory nor on disk.
func (r *Runtime) recallCode(ctx context.Context, digest kv.Digest) (*code, error) {
	return r.holdOrLoad(digest, "recall ", func() (compile.Compiled, error) {
		if r.cfg.Code == nil {
			return compile.Compiled{}, compile.ErrNotKept
		}
		return r.cfg.Code.Recall(ctx, r.engine, digest)
	})
}

// holdOrLoad does each kind of load once, however many ask. What one loaded may
// be dropped again before another has held it.
func (r *Runtime) holdOrLoad(digest kv.Digest, kind string, load func() (compile.Compiled, error)) (*code, error) {
	for {
		if c := r.holdCode(digest); c != nil {
			return c, nil
		}
		_, err, _ := r.flight.Do(kind+string(digest[:]), func() (any, error) {
			compiled, err := load()
			if err != nil {
				return nil, err
			}
			return nil, r.addCode(digest, compiled)
		})
		if err != nil {
			return nil, err
		}
	}
}

// addCode takes what was loaded, unless another was faster or it can't be run.
func (r *Runtime) addCode(digest kv.Digest, compiled compile.Compiled) error {
	c := &code{Compiled: compiled, digest: digest, bytes: compiled.Size}
	var err error
	if c.abi, c.plan, err = r.match(guestShape(compiled.Module)); err != nil {
		return errors.Join(err, compiled.Module.Close(context.Background()))
	}
	c.stack, c.share = stackOf(c.plan), max(c.plan.Share, 1)
	if r.cfg.Isolation != nil { // it is known how to run it, elsewhere
		c.Compiled, c.bytes = compile.Compiled{}, 0
		if err := compiled.Module.Close(context.Background()); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.codes[digest] != nil {
		return c.free()
	}
	r.codes[digest] = c
	r.bytes.Add(c.bytes)
	return nil
}

// codeFactor is how much larger machine code is than the module it is made of,
// about, where there is no file of it.
const codeFactor = 3

func (r *Runtime) compileBytes(ctx context.Context, rewritten []byte) (compile.Compiled, error) {
	if r.cfg.Code != nil {
		return r.cfg.Code.Load(ctx, r.engine, rewritten)
	}
	compiled, err := r.engine.CompileModule(ctx, rewritten)
	if err != nil {
		return compile.Compiled{}, host.Errorf(host.CodeInvalid, "the module is not valid WebAssembly: %v", err)
	}
	return compile.Compiled{Module: compiled, Size: codeFactor * int64(len(rewritten))}, nil
}

// holdCode adds a holder, if the code is there.
func (r *Runtime) holdCode(d kv.Digest) *code {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.codes[d]
	if c != nil {
		c.holders++
	}
	return c
}

// shared says whether code has more than one holder.
func (r *Runtime) shared(c *code) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.holders > 1
}

// dropCode ends a hold; the last one frees the code.
func (r *Runtime) dropCode(c *code) error {
	r.mu.Lock()
	c.holders--
	last := c.holders == 0
	if last {
		delete(r.codes, c.digest)
	}
	r.mu.Unlock()
	if !last {
		return nil
	}
	r.bytes.Add(-c.bytes)
	return c.free()
}

func (c *code) free() error {
	if c.Module == nil {
		return nil
	}
	return c.Module.Close(context.Background())
}
