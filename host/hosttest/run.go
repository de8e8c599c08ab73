package hosttest

import (
	"context"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// Run compiles a guest and lets it answer one request with everything else at
// its default.
func Run(t testing.TB, a abi.ABI, wasm []byte, req host.Request) Result {
	t.Helper()
	return MustLoad(t, a, wasm).Invoke(t, Invocation{Request: req})
}

// Request makes a request without a client address; body may be empty, and
// headers are names and values in turn.
func Request(method, url, body string, headers ...string) host.Request {
	req := host.Request{Method: []byte(method), URL: []byte(url)}
	for i := 0; i < len(headers); i += 2 {
		req.Headers = req.Headers.Add(headers[i], headers[i+1])
	}
	if body != "" {
		req.Body = strings.NewReader(body)
	}
	return req
}

// Guest is a compiled guest of an ABI.
type Guest struct {
	abi     abi.ABI
	plan    abi.Plan
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// Load compiles a guest; Close frees it.
func Load(a abi.ABI, wasm []byte) (*Guest, error) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	g, err := load(ctx, r, a, wasm)
	if err != nil {
		r.Close(ctx)
		return nil, err
	}
	return g, nil
}

func load(ctx context.Context, r wazero.Runtime, a abi.ABI, wasm []byte) (*Guest, error) {
	for _, m := range a.Modules() {
		if err := abi.Register(ctx, r, m); err != nil {
			return nil, err
		}
	}
	module, err := r.CompileModule(experimental.WithCompilationWorkers(ctx, goruntime.GOMAXPROCS(0)), wasm)
	if err != nil {
		return nil, fmt.Errorf("compile guest: %w", err)
	}
	plan, ok, err := a.Match(abi.ShapeOf(module))
	if err != nil {
		return nil, fmt.Errorf("match %s: %w", a.Name(), err)
	}
	if !ok {
		return nil, fmt.Errorf("the module is none of %s", a.Name())
	}
	return &Guest{a, plan, r, module}, nil
}

// MustLoad is Load for a test that closes the guest at its end.
func MustLoad(t testing.TB, a abi.ABI, wasm []byte) *Guest {
	t.Helper()
	g, err := Load(a, wasm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// Plan is how the guest is run.
func (g *Guest) Plan() abi.Plan { return g.plan }

// Close frees the guest and its instances.
func (g *Guest) Close() error { return g.runtime.Close(context.Background()) }

// Invoke runs one Invocation on an instance of its own.
func (g *Guest) Invoke(t testing.TB, inv Invocation) Result {
	t.Helper()
	i := g.Instantiate(t)
	defer i.Close()
	return i.Invoke(t, inv)
}
