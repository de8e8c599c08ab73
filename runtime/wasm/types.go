package wasm

import (
	"fmt"
	"strings"
)

// ValType is the type of a value, as the binary format encodes it.
type ValType byte

const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f

	// anyType is a value in code that is never reached: it fits everywhere.
	anyType ValType = 0
)

func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case anyType:
		return "any type"
	}
	return fmt.Sprintf("type %#x", byte(t))
}

func (t ValType) valid() bool   { return t >= V128 && t <= I32 || t.isRef() }
func (t ValType) isRef() bool   { return t == FuncRef || t == ExternRef }
func (t ValType) numeric() bool { return t >= F64 && t <= I32 }

// allTypes lets one type be a list without an allocation.
var allTypes = func() (list [256]ValType) {
	for i := range list {
		list[i] = ValType(i)
	}
	return list
}()

func oneType(t ValType) []ValType { return allTypes[t : int(t)+1] }

// FuncType is what a function takes and gives.
type FuncType struct{ Params, Results []ValType }

func (t FuncType) String() string {
	return fmt.Sprintf("(%s) -> (%s)", typeList(t.Params), typeList(t.Results))
}

func typeList(types []ValType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return strings.Join(names, " ")
}

// Import is one entry of the import section.
type Import struct {
	Module, Name string
	Kind         Kind
}

// Export is one entry of the export section.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Table is the type of a table; sizes are entries.
type Table struct {
	Type     ValType
	Min, Max uint32
	HasMax   bool
}

// Memory is the type of the memory; sizes are pages of 64 KiB.
type Memory struct {
	Min, Max uint32
	HasMax   bool
}

// Global is the type of a global.
type Global struct {
	Type    ValType
	Mutable bool
	init    constExpr // zero for an imported global
}

func (r *reader) valType() ValType {
	t := ValType(r.byte())
	if r.err == nil && !t.valid() {
		r.failAt(r.pos-1, "unknown value type %#x", byte(t))
	}
	return t
}

func (r *reader) refType() ValType {
	t := ValType(r.byte())
	if r.err == nil && !t.isRef() {
		r.failAt(r.pos-1, "type %#x is not a reference type", byte(t))
	}
	return t
}

func (r *reader) limits(what string) (low, high uint32, hasMax bool) {
	switch flags := r.byte(); {
	case r.err != nil:
		return 0, 0, false
	case flags > 1:
		r.failAt(r.pos-1, "%s: limits flag %#x: shared and 64-bit ones are not supported", what, flags)
		return 0, 0, false
	case flags == 1:
		hasMax = true
	}
	start := r.pos
	low = r.u32()
	if hasMax {
		if high = r.u32(); high < low && r.err == nil {
			r.failAt(start, "%s: minimum %d is above maximum %d", what, low, high)
		}
	}
	return low, high, hasMax
}

func (r *reader) tableType(l *Limits) (t Table) {
	t.Type = r.refType()
	start := r.pos
	t.Min, t.Max, t.HasMax = r.limits("table")
	if r.err == nil && uint64(t.Min) > uint64(l.TableSize) {
		r.failAt(start, "table with %d entries, the limit is %d", t.Min, l.TableSize)
	}
	return t
}

// maxPages is what 32 bits can address.
const maxPages = 1 << 16

func (r *reader) memoryType(l *Limits) (m Memory) {
	start := r.pos
	m.Min, m.Max, m.HasMax = r.limits("memory")
	switch {
	case r.err != nil:
	case max(m.Min, m.Max) > maxPages:
		r.failAt(start, "memory size must be at most 65536 pages (4 GiB)")
	case uint64(m.Min) > uint64(l.MemoryPages):
		r.failAt(start, "memory of %d pages at start, the limit is %d", m.Min, l.MemoryPages)
	}
	return m
}

func (r *reader) globalType() (g Global) {
	g.Type = r.valType()
	switch b := r.byte(); {
	case b == 1:
		g.Mutable = true
	case b != 0:
		r.failAt(r.pos-1, "malformed mutability %#x", b)
	}
	return g
}
