package wasm_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// extensible is a module whose function "through" calls entry n of its table, of
// which the first is a function that returns 7.
func extensible() []byte {
	var m hosttest.Module
	one := []abi.Type{abi.I32}
	m.Import("env", "unused", nil, nil)
	m.Memory(1)
	m.Global(5)
	table := m.Table(1)
	seven := m.Func("seven", nil, one, nil, hosttest.I32Const(7))
	m.Func("through", one, one, nil, hosttest.LocalGet(0), m.CallIndirect(table, nil, one))
	m.Elements(table, seven)
	return m.Bytes()
}

// sevenPlus returns what seven returns, what the host does, and what its global
// has, which it counts up.
func sevenPlus(c *wasm.Code) {
	const add = 0x6a
	c.Call("seven")
	c.Call("host")
	c.Op(add)
	c.GlobalGet("count")
	c.Op(add)
	c.GlobalGet("count")
	c.I32(1)
	c.Op(add)
	c.GlobalSet("count")
}

func extension(body func(*wasm.Code)) wasm.Extension {
	result := wasm.FuncType{Results: []wasm.ValType{wasm.I32}}
	return wasm.Extension{
		Imports: []wasm.AddedImport{{Module: "env", Name: "host", Type: result}},
		Globals: []wasm.AddedGlobal{{Name: "count", Type: wasm.I32}},
		Funcs: []wasm.AddedFunc{
			{Name: "plus", Type: result, Export: true, Pointer: true, Body: body},
			{Name: "where", Type: result, Export: true, Body: func(c *wasm.Code) { c.Pointer("plus") }},
		},
	}
}

func TestExtend(t *testing.T) {
	m, err := wasm.Parse(extensible(), wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Extend(extension(sevenPlus))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wasm.Parse(data, wasm.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	env := r.NewHostModuleBuilder("env")
	env = env.NewFunctionBuilder().WithFunc(func() {}).Export("unused")
	env = env.NewFunctionBuilder().WithFunc(func() uint32 { return 100 }).Export("host")
	if _, err := env.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	guest, err := r.Instantiate(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	want := func(name string, want uint64, args ...uint64) {
		t.Helper()
		if got, err := guest.ExportedFunction(name).Call(ctx, args...); err != nil || api.DecodeU32(got[0]) != uint32(want) {
			t.Errorf("%s: got %v, %v, want %d", name, got, err, want)
		}
	}
	want("plus", 107)
	want("plus", 108)
	want("where", 1)
	want("through", 109, 1)
	want("through", 7, 0)
}

// named is a module with a name section that has one function.
func named(module []byte, index byte, name string) []byte {
	entry := append([]byte{1, index, byte(len(name))}, name...)
	body := append([]byte("\x04name\x01"), byte(len(entry)))
	body = append(body, entry...)
	return append(append(slices.Clone(module), 0, byte(len(body))), body...)
}

// What wraps a function is called in its place, and calls it.
func TestExtendWraps(t *testing.T) {
	m, err := wasm.Parse(named(extensible(), 1, "seven"), wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	x := extension(sevenPlus)
	x.Funcs = append(x.Funcs, wasm.AddedFunc{Name: "seven", Type: x.Funcs[0].Type, Wraps: true, Body: func(c *wasm.Code) {
		const multiply = 0x6c
		c.Call("seven")
		c.I32(6)
		c.Op(multiply)
	}})
	data, err := m.Extend(x)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	env := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("unused")
	if _, err := env.NewFunctionBuilder().WithFunc(func() uint32 { return 100 }).Export("host").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	guest, err := r.Instantiate(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"through": 42, "seven": 42, "plus": 107} {
		var args []uint64
		if name == "through" {
			args = []uint64{0}
		}
		if got, err := guest.ExportedFunction(name).Call(ctx, args...); err != nil || got[0] != want {
			t.Errorf("%s: got %v, %v, want %d", name, got, err, want)
		}
	}
	x.Funcs[2].Name = "eight"
	if _, err := m.Extend(x); err == nil || err.Error() != "extend module: there is no function eight to wrap" {
		t.Errorf("got %v, want that there is no such function", err)
	}
	x.Funcs[2].Name, x.Funcs[2].Type = "seven", wasm.FuncType{}
	if _, err := m.Extend(x); err == nil || err.Error() != "extend module: function seven has another type than what wraps it" {
		t.Errorf("got %v, want that the type is another", err)
	}
}

func TestExtendRefuses(t *testing.T) {
	m, err := wasm.Parse(extensible(), wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		body func(*wasm.Code)
		want string
	}{
		{func(c *wasm.Code) { c.Call("eight") }, "extend module: function plus: there is no function eight"},
		{func(c *wasm.Code) { c.GlobalGet("x") }, "extend module: function plus: there is no global x"},
		{func(c *wasm.Code) { c.Pointer("where") }, "extend module: function plus: there is no function in the table where"},
	} {
		if _, err := m.Extend(extension(tt.body)); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	var bare hosttest.Module
	bare.Func("f", nil, nil, nil)
	if m, err = wasm.Parse(bare.Bytes(), wasm.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Extend(extension(sevenPlus)); err == nil || !strings.HasPrefix(err.Error(), "extend module: it must have one table") {
		t.Errorf("got %v, want that a table is missing", err)
	}
}
