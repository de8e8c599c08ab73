package wasm_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Small programs for tests and benchmarks. Each exports "run".

const i32ToI32 = "\x60\x01\x7f\x01\x7f"

// program is a module with one exported function and a page of memory.
func program(typ, locals, code string) []byte {
	body := locals + code + "\x0b"
	return []byte(header + section(1, vec(typ)) + section(3, vec("\x00")) + section(5, vec("\x00\x04")) +
		section(7, vec(text("run")+"\x00\x00")) + section(10, vec(leb(len(body))+body)))
}

// fib calls itself; sum adds the first n bytes of memory.
var (
	fib = program(i32ToI32, noLocals, "\x20\x00\x41\x02\x49\x04\x7f\x20\x00\x05\x20\x00\x41\x01\x6b\x10\x00\x20\x00\x41\x02\x6b\x10\x00\x6a\x0b")
	sum = program(i32ToI32, "\x01\x02\x7f", "\x03\x40\x20\x02\x20\x01\x2d\x00\x00\x6a\x21\x02\x20\x01\x41\x01\x6a\x22\x01\x20\x00\x49\x0d\x00\x0b\x20\x02")
)

// Other small loops. words copies 4 bytes at a time, branches has an if with an
// else, dot multiplies vectors of f64, inner adds 8 bytes in a loop of its own each
// time, many has eight variables, and while is sum with its condition in front.
var (
	words    = program(i32ToI32, "\x01\x02\x7f", "\x03\x40\x20\x01\x20\x01\x28\x02\x00\x36\x02\x80\x80\x08"+next(4)+"\x0b\x20\x01")
	branches = program(i32ToI32, "\x01\x02\x7f", "\x03\x40\x20\x01\x41\x03\x71\x04\x40\x20\x02\x20\x01\x6a\x21\x02\x05\x20\x02\x41\x0d\x77\x21\x02\x0b"+next(1)+"\x0b\x20\x02")
	dot      = program(i32ToI32, "\x02\x01\x7f\x01\x7c", "\x03\x40\x20\x02\x20\x01\x2b\x03\x00\x20\x01\x2b\x03\x80\x80\x08\xa2\xa0\x21\x02"+next(8)+"\x0b\x20\x02\xbd\xa7")
	inner    = program(i32ToI32, "\x01\x03\x7f", "\x03\x40\x41\x08\x21\x03\x03\x40\x20\x02\x20\x01\x20\x03\x6a\x2d\x00\x00\x6a\x21\x02\x20\x03\x41\x01\x6b\x22\x03\x0d\x00\x0b"+next(1)+"\x0b\x20\x02")
	many     = program(i32ToI32, "\x01\x08\x7f", "\x03\x40\x20\x02\x20\x01\x2d\x00\x00\x6a\x21\x02\x20\x03\x20\x02\x6a\x21\x03\x20\x04\x20\x03\x73\x21\x04\x20\x05\x20\x02\x6a\x21\x05"+
		"\x20\x06\x20\x01\x73\x21\x06\x20\x07\x20\x05\x73\x21\x07\x20\x08\x20\x07\x6a\x21\x08"+next(1)+"\x0b\x20\x08\x20\x06\x73\x20\x04\x73")
	while = program(i32ToI32, "\x01\x02\x7f", "\x02\x40\x03\x40\x20\x01\x20\x00\x4f\x0d\x01\x20\x02\x20\x01\x2d\x00\x00\x6a\x21\x02\x20\x01\x41\x01\x6a\x21\x01\x0c\x00\x0b\x0b\x20\x02")
)

// next ends a loop: local 1 += step; br_if 0 while local 1 < local 0.
func next(step int) string { return "\x20\x01\x41" + leb(step) + "\x6a\x22\x01\x20\x00\x49\x0d\x00" }

var goGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, ".")
	cmd.Dir = filepath.Join("testdata", "guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-mod=mod", "GOWORK=off")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func mustGoGuest(t testing.TB) []byte {
	t.Helper()
	data, err := goGuest()
	if err != nil {
		t.Fatalf("build the guest: %v", err)
	}
	return data
}

func mustParse(t testing.TB, data []byte) *wasm.Module {
	t.Helper()
	m, err := wasm.Parse(data, wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// host runs modules; tick is what metered ones call, with the units that remain.
type host struct {
	t      testing.TB
	engine wazero.Runtime
	tick   func(remaining int64) int64
}

var errExhausted = errors.New("call stack exhausted")

func newHost(t testing.TB) *host {
	ctx := context.Background()
	h := &host{t: t, engine: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())}
	t.Cleanup(func() { h.engine.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, h.engine)
	_, err := h.engine.NewHostModuleBuilder(wasm.TickModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			stack[0] = uint64(h.tick(int64(stack[0])))
		}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(wasm.TickName).NewFunctionBuilder().
		WithFunc(func(int64) int64 { panic(errExhausted) }).Export(wasm.DeepenName).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start instantiates a module, and calls _initialize if there is one.
func (h *host) start(code []byte) api.Module {
	h.t.Helper()
	m, err := h.engine.InstantiateWithConfig(context.Background(), code, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

func (h *host) call(m api.Module, name string, args ...uint64) uint64 {
	h.t.Helper()
	results, err := m.ExportedFunction(name).Call(context.Background(), args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return results[0]
}
