// Package abi joins host functions to wazero. It is the one place that
// registers them and the one adapter that touches the engine's stack: an ABI
// is a table of Func, and each Func is a plain Go function over a Guest.
package abi

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Type is a WebAssembly value type.
type Type = api.ValueType

// The types that host functions use.
const (
	I32 = api.ValueTypeI32
	I64 = api.ValueTypeI64
)

// Module is a host module that guests may import functions from.
type Module struct {
	Name    string
	Version string // that this node offers; empty if there is only one
	Funcs   []Func
}

// Func is one host function.
type Func struct {
	Name    string
	Params  []Type
	Results []Type // none or one
	Do      func(g Guest, a Args) int64
}

// Args are the parameters as the engine passes them. The upper half of an i32
// is undefined, so that each access says its width.
type Args []uint64

func (a Args) U32(i int) uint32 { return uint32(a[i]) }
func (a Args) I64(i int) int64  { return int64(a[i]) }
func (a Args) U64(i int) uint64 { return a[i] }

// Find returns the function of that name.
func (m *Module) Find(name string) (*Func, bool) {
	for i := range m.Funcs {
		if m.Funcs[i].Name == name {
			return &m.Funcs[i], true
		}
	}
	return nil, false
}

// Register instantiates the host module in a wazero runtime.
func Register(ctx context.Context, r wazero.Runtime, m *Module) error {
	b := r.NewHostModuleBuilder(m.Name)
	for _, f := range m.Funcs {
		b = b.NewFunctionBuilder().WithName(f.Name).
			WithGoModuleFunction(adapt(f), f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("register host module %s: %w", m.Name, err)
	}
	return nil
}

func adapt(f Func) api.GoModuleFunc {
	if len(f.Results) == 0 {
		return func(ctx context.Context, m api.Module, stack []uint64) {
			f.Do(guestOf(ctx, m), stack)
		}
	}
	narrow := f.Results[0] == I32
	return func(ctx context.Context, m api.Module, stack []uint64) {
		result := uint64(f.Do(guestOf(ctx, m), stack))
		if narrow {
			result = uint64(uint32(result))
		}
		stack[0] = result
	}
}

// TypeName is the type as the text format writes it.
func TypeName(t Type) string { return api.ValueTypeName(t) }
