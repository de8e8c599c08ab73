package runtime_test

import (
	goruntime "runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/tetratelabs/wazero/api"
)

// The same bytes are compiled once, however many ask at the same time.
func TestLoadOnce(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	const askers = 32
	var loaded [askers]*runtime.Module
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range askers {
		all.Go(func() {
			<-begin
			m, err := r.Load(t.Context(), hello("hello"))
			if err != nil {
				t.Error(err)
			}
			loaded[i] = m
		})
	}
	close(begin)
	all.Wait()
	for i, m := range loaded {
		if m != loaded[0] {
			t.Errorf("asker %d got other code than asker 0", i)
		}
	}
	if mustLoad(t, r, hello("other")) == loaded[0] {
		t.Error("other bytes have the same code")
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

// A module that was unloaded can be loaded again.
func TestUnload(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for range 2 {
		m := mustLoad(t, r, hello("hello"))
		s := mustPrepare(t, m, host.Limits{})
		if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "hello" {
			t.Errorf("%v %q, %v", got.outcome, got.Body, got.err)
		}
		s.Close()
		if err := r.Unload(t.Context(), m.Digest); err != nil {
			t.Error(err)
		}
		if err := r.Unload(t.Context(), m.Digest); err != nil {
			t.Errorf("unload what is not there: %v", err)
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
