package abi_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/tetratelabs/wazero"
)

// shapeOf compiles without linking, so that imports need not exist.
func shapeOf(t *testing.T, m *hosttest.Module) *abi.Shape {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	t.Cleanup(func() { r.Close(ctx) })
	c, err := r.CompileModule(ctx, m.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return abi.ShapeOf(c)
}

func TestShapeOf(t *testing.T) {
	var m hosttest.Module
	m.Import("a", "f", []abi.Type{abi.I32, abi.I64}, i64)
	m.Import("a", "g", nil, nil)
	m.Import("b@1.2", "f", i32, nil)
	m.Memory(1)
	m.Func("one", i64, i32, nil, hosttest.I32Const(0))
	m.Func("", nil, nil, nil)
	s := shapeOf(t, &m)
	if got, want := fmt.Sprint(s.Imports), "[{a f [127 126] [126]} {a g [] []} {b@1.2 f [127] []}]"; got != want {
		t.Errorf("imports %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(s.Exports), "[{ one [126] [127]}]"; got != want || !s.Memory {
		t.Errorf("exports %s and memory %v, want %s and one", got, s.Memory, want)
	}
	if e, ok := s.Export("one"); !ok || e.Name != "one" {
		t.Errorf("got %v, %v", e, ok)
	}
	for _, name := range []string{"", "memory", "two"} {
		if e, ok := s.Export(name); ok {
			t.Errorf("Export(%q) = %v, want none", name, e)
		}
	}
	for _, tt := range []struct {
		module string
		names  []string
		want   bool
	}{
		{"a", nil, true}, {"b", nil, false}, {"b@1.2", nil, true}, {"", nil, false},
		{"a", []string{"f"}, true}, {"a", []string{"x", "g"}, true}, {"a", []string{"x"}, false}, {"b@1.2", []string{"g"}, false},
	} {
		if got := s.ImportsFrom(tt.module, tt.names...); got != tt.want {
			t.Errorf("ImportsFrom(%q, %q) = %v, want %v", tt.module, tt.names, got, tt.want)
		}
	}
}

func TestShapeOfNothing(t *testing.T) {
	s := shapeOf(t, new(hosttest.Module))
	if len(s.Imports)+len(s.Exports) > 0 || s.Memory {
		t.Errorf("got %+v, want nothing", s)
	}
}
