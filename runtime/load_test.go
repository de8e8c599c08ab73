package runtime_test

import (
	"context"
	"fmt"
	"os/exec"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/tetratelabs/wazero/api"
)

// Modules that differ only in data, and in the size of their memory, have one
// code, compiled once, however many are loaded at the same time.
func TestCodeIsShared(t *testing.T) {
	children := &atomic.Int64{}
	c, err := compile.Open(compile.Config{Dir: t.TempDir(), Limits: compiletest.Limits(), Command: func(ctx context.Context) *exec.Cmd {
		children.Add(1)
		return compiletest.Command(ctx)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := mustRuntime(t, runtime.Config{Code: c})
	const modules = 1000
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := worker; n < modules; n += 8 {
				text := fmt.Sprintf("number %4d", n)
				s := mustPrepare(t, mustLoad(t, r, helloIn(text, uint32(1+n%3))), host.Limits{})
				if got := ask(t, s, "/", host.Limits{}); string(got.Body) != text {
					t.Errorf("got %q, %v; want %q", got.Body, got.err, text)
				}
			}
		})
	}
	all.Wait()
	if r.Codes() != 1 || children.Load() != 1 {
		t.Errorf("%d modules of one code: %d codes in memory, %d compiled", modules, r.Codes(), children.Load())
	}
	mustLoad(t, r, counter("!"))
	if r.Codes() != 2 {
		t.Errorf("%d codes in memory after another module", r.Codes())
	}
}

// Close waits for those who use the Snapshot; nobody can begin to meanwhile.
func TestCloseInUse(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, hello("hello")), host.Limits{})
	if !s.Use() {
		t.Fatal("a snapshot just taken is not there")
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	for s.Use() {
		s.Done()
		goruntime.Gosched()
	}
	select {
	case err := <-closed:
		t.Fatalf("closed in use: %v", err)
	default:
	}
	if got := askUsed(t, s, "/", host.Limits{}); got.outcome != host.OutcomeOK || string(got.Body) != "hello" {
		t.Errorf("while Close waits: %v %q, %v", got.outcome, got.Body, got.err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if s.Use() {
		t.Error("a closed snapshot can be used")
	}
}

// What nobody holds any more is freed, and can be loaded again.
func TestEverythingIsGivenBack(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for range 2 {
		m := mustLoad(t, r, hello("hello"))
		s := mustPrepare(t, m, host.Limits{})
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		for range 3 {
			if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "hello" {
				t.Errorf("%v %q, %v", got.outcome, got.Body, got.err)
			}
		}
		if r.Bytes() <= 0 {
			t.Errorf("%d bytes while it is loaded", r.Bytes())
		}
		s.Close()
		if r.Bytes() != 0 || r.Codes() != 0 {
			t.Errorf("%d bytes and %d codes are left", r.Bytes(), r.Codes())
		}
	}
}

func TestModuleSize(t *testing.T) {
	wasm := hello("hello")
	r := mustRuntime(t, runtime.Config{MaxModule: int64(len(wasm))})
	mustLoad(t, r, wasm)
	_, err := r.Load(t.Context(), append(wasm, 0))
	if host.CodeOf(err) != host.CodeTooLarge {
		t.Errorf("got %v, want that the module is too large", err)
	}
}

// TestRefused has what the runtime says to authors of modules; hostile modules
// are in the tests of package wasm.
func TestRefused(t *testing.T) {
	i32 := []api.ValueType{api.ValueTypeI32}
	imports := func(from, name string) []byte {
		var m hosttest.Module
		m.Import(from, name, nil, nil)
		m.Memory(1)
		m.Func("fetch", nil, nil, nil)
		return m.Bytes()
	}
	// raw is a module with one section.
	raw := func(section string) []byte { return []byte("\x00asm\x01\x00\x00\x00" + section) }
	var parameters, wrong hosttest.Module
	parameters.Memory(1)
	parameters.Func("fetch", i32, nil, nil)
	wrong.Import("mayfly", "log", i32, nil)
	wrong.Memory(1)
	wrong.Func("fetch", nil, nil, nil)
	const offers = "this node offers functions from mayfly and wasi_snapshot_preview1 only"
	tests := []struct {
		name string
		wasm []byte
		want string
	}{
		{"empty", nil, "the module is not valid WebAssembly: "},
		{"text", []byte("(module)"), "the module is not valid WebAssembly: "},
		{"truncated", hello("hello")[:40], "the module is not valid WebAssembly: "},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "this is a WebAssembly component"},
		{"another version", []byte("\x00asm\x02\x00\x00\x00"), "WebAssembly version 0x02000000 is not supported"},
		{"no entry point", raw(""), "the module has no entry point"},
		{"unknown module", imports("env", "abort"), "the module imports function env.abort; " + offers},
		{"built for a browser by Go", imports("gojs", "runtime.wasmExit"), offers + "; it was built by Go for a browser: build with GOOS=wasip1"},
		{"built for a browser by Rust", imports("__wbindgen_placeholder__", "f"), offers + "; it was built by wasm-bindgen for a browser: build for the target wasm32-wasip1"},
		{"newer ABI", imports("mayfly@1.3", "log"), "the module imports mayfly@1.3.log and so needs version 1.3 of the mayfly ABI; this node offers 1.0: upgrade the node, or build with an older SDK"},
		{"unknown function", imports("mayfly", "teleport"), "the module imports mayfly.teleport, which this node does not offer"},
		{"misspelt function", imports("mayfly", "Respond"), "the module imports mayfly.Respond, which this node does not offer (did you mean respond?)"},
		{"wrong signature", wrong.Bytes(), "the module imports mayfly.log as (i32) -> (); it is (i32 i32 i32) -> (i32)"},
		{"memory", raw("\x02\x0f\x01\x03env\x06memory\x02\x00\x01"), "the module imports memory env.memory; " + offers},
		{"memory of ours", raw("\x02\x12\x01\x06mayfly\x06memory\x02\x00\x01"), "the module imports memory mayfly.memory; only functions may be imported"},
		{"global of ours", raw("\x02\x0d\x01\x06mayfly\x01g\x03\x7f\x00"), "the module imports global mayfly.g; only functions may be imported"},
		{"table of ours", raw("\x02\x0e\x01\x06mayfly\x01t\x01\x70\x00\x01"), "the module imports table mayfly.t; only functions may be imported"},
		{"entry point with parameters", parameters.Bytes(), `export "fetch" must have no parameters and no results`},
	}
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Load(t.Context(), tt.wasm)
			if host.CodeOf(err) != host.CodeInvalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Modules are instantiated without their names: two of one name run side by
// side, and none can import from another by its name.
func TestNamesMeanNothing(t *testing.T) {
	named := func(text string) []byte {
		var m hosttest.Module
		m.Names("twin")
		f := respond(&m)
		m.Memory(1)
		m.Data(0, []byte(text))
		m.Func("fetch", nil, nil, nil, answer(f, 1))
		return m.Bytes()
	}
	r := mustRuntime(t, runtime.Config{})
	a, b := mustLoad(t, r, named("a")), mustLoad(t, r, named("b"))
	for range 2 {
		if got := invoke(t, a, host.Limits{}); string(got.Body) != "a" {
			t.Errorf("the first twin: %q, %v", got.Body, got.err)
		}
		if got := invoke(t, b, host.Limits{}); string(got.Body) != "b" {
			t.Errorf("the second twin: %q, %v", got.Body, got.err)
		}
	}
	thief := []byte("\x00asm\x01\x00\x00\x00\x02\x10\x01\x04twin\x06memory\x02\x00\x01")
	if _, err := r.Load(t.Context(), thief); err == nil || !strings.Contains(err.Error(), "the module imports memory twin.memory") {
		t.Errorf("a module that imports a twin's memory: %v", err)
	}
}
