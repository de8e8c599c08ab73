package runtime

import (
	"context"
	"errors"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
)

// Module is a module that can be run: code, and what it begins with. It never
// runs; Instances do. It is safe for concurrent use.
type Module struct {
	Digest kv.Digest
	ABI    abi.ABI
	Plan   abi.Plan
	// MinMemory is what an Instance needs at least, in bytes.
	MinMemory int64

	runtime *Runtime
	code    *code
	facts   wasm.Facts
	image   wasm.Image // refers to the bytes that were loaded
}

// compile makes a Module of its bytes, which it keeps.
func (r *Runtime) compile(ctx context.Context, digest kv.Digest, data []byte) (*Module, error) {
	parsed, err := r.parse(data)
	if err != nil {
		return nil, err
	}
	rewritten, err := r.rewrite(parsed, data)
	if err != nil {
		return nil, err
	}
	c, err := r.acquireCode(ctx, rewritten.Code)
	if err != nil {
		return nil, err
	}
	m := &Module{Digest: digest, runtime: r, code: c,
		facts: parsed.Facts(), image: rewritten.Image, MinMemory: int64(parsed.Facts().Memory.Min) * pageSize}
	if m.ABI, m.Plan, err = r.match(guestShape(c.compiled)); err != nil {
		return nil, errors.Join(err, r.dropCode(ctx, c))
	}
	r.mu.Lock()
	r.modules[digest] = m
	r.mu.Unlock()
	return m, nil
}

// guestShape is what the module's author sees of it.
func guestShape(compiled wazero.CompiledModule) *abi.Shape {
	s := abi.ShapeOf(compiled)
	s.Imports = slices.DeleteFunc(s.Imports, func(i abi.Signature) bool { return i.Module == wasm.TickModule })
	return s
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

// close frees what the module holds. Its Snapshots are closed.
func (m *Module) close(ctx context.Context) error {
	return m.runtime.dropCode(ctx, m.code)
}
