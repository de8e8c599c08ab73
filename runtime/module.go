package runtime

import (
	"context"
	"errors"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
)

// Module is a module that can be run: code, and what it begins with. It never
// runs; Instances of its Snapshots do. It keeps the bytes that it was loaded
// from, so close it once its Snapshots are taken. It is safe for concurrent use.
type Module struct {
	Digest kv.Digest
	// MinMemory is what an Instance needs at least, in bytes.
	MinMemory int64

	runtime *Runtime
	code    *code
	facts   wasm.Facts
	image   wasm.Image // refers to the bytes that were loaded
	program []byte     // what the code interprets; nil if nothing

	detaches bool // the program does, where the code need not
	mapped   bool // the program has source maps
}

// Load validates and compiles a module, or the Program of a JavaScript Worker; the
// same code is compiled once, however many ask at the same time. A module that can't
// be run is an *host.Error that says why.
func (r *Runtime) Load(ctx context.Context, data []byte) (*Module, error) {
	if int64(len(data)) > r.cfg.MaxModule {
		return nil, host.Errorf(host.CodeTooLarge, "the module has %d bytes; at most %d are accepted", len(data), r.cfg.MaxModule)
	}
	if js.IsProgram(data) {
		return r.loadProgram(ctx, data)
	}
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
	if c.plan.Entry == js.EntryExport { // its operations trust their caller, which is ours alone
		return nil, errors.Join(host.Errorf(host.CodeInvalid, "the module imports from %q, which is for the node's own JavaScript engine", js.Name), r.dropCode(c))
	}
	facts := parsed.Facts()
	return &Module{Digest: kv.DigestOf(data), MinMemory: int64(facts.Memory.Min) * pageSize,
		runtime: r, code: c, facts: facts, image: rewritten.Image}, nil
}

// Close gives the code back. Snapshots that were taken stay.
func (m *Module) Close() error { return m.runtime.dropCode(m.code) }

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
