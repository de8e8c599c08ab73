package runtime

import (
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/engine"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// interpreter is the module that runs JavaScript, made when the first Program is
// loaded.
type interpreter struct {
	load     sync.Once
	code     []byte // rewritten
	image    wasm.Image
	facts    wasm.Facts
	err      error
	identity func() string
	base     base
}

func newInterpreter() *interpreter {
	return &interpreter{identity: sync.OnceValue(func() string { return engine.Identity().String() })}
}

// javaScript returns the module that runs JavaScript.
func (r *Runtime) javaScript() (*interpreter, error) {
	i := r.interpreter
	i.load.Do(func() { i.err = r.makeInterpreter(i) })
	return i, i.err
}

func (r *Runtime) makeInterpreter(i *interpreter) error {
	data, err := engine.JavaScript()
	if err != nil {
		return err
	}
	parsed, err := r.parse(data)
	if err != nil {
		return err
	}
	rewritten, err := r.rewrite(parsed, data)
	if err != nil {
		return err
	}
	i.code, i.image, i.facts = rewritten.Code, rewritten.Image, parsed.Facts()
	return nil
}

// CompileJavaScript compiles the module that runs JavaScript, so that it is on disk when
// the first Worker is deployed: a second or two of another process. A Worker that is
// loaded meanwhile waits for the same. Without Config.Code it does nothing.
func (r *Runtime) CompileJavaScript(ctx context.Context) error {
	if r.offered[js.Name] == nil || r.cfg.Code == nil {
		return nil
	}
	i, err := r.javaScript()
	if err != nil {
		return err
	}
	c, err := r.acquireCode(ctx, i.code)
	if err != nil {
		return err
	}
	return r.dropCode(c)
}

// loadProgram is Load for a JavaScript Worker: its code is the interpreter's, and
// what is its own comes into the image when the Program is initialised.
func (r *Runtime) loadProgram(ctx context.Context, data []byte) (*Module, error) {
	if r.offered[js.Name] == nil {
		return nil, host.Errorf(host.CodeUnsupported, "this node does not run JavaScript")
	}
	p, err := js.DecodeProgram(data)
	if err != nil {
		return nil, err
	}
	i, err := r.javaScript()
	if err != nil {
		return nil, err
	}
	c, err := r.acquireCode(ctx, i.code)
	if err != nil {
		return nil, err
	}
	return &Module{Digest: kv.DigestOf(data), MinMemory: int64(i.facts.Memory.Min) * pageSize,
		runtime: r, code: c, facts: i.facts, image: i.image, program: data, detaches: p.Detaches(), mapped: p.HasMaps()}, nil
}
