package hosttest

import (
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/tetratelabs/wazero/api"
)

// Module builds a small WebAssembly binary, section by section. Imports come
// before functions, because both share one index space.
//
// Format: https://www.w3.org/TR/wasm-core-2/#binary-format
type Module struct {
	types, imports, funcs, tables, globals, exports, elements, codes, data vector
	memory, start, names                                                   []byte
	passive                                                                bool // some data is
}

// vector is a sequence of encoded elements.
type vector struct {
	n     uint32
	bytes []byte
}

func (v *vector) add(parts ...[]byte) uint32 {
	for _, p := range parts {
		v.bytes = append(v.bytes, p...)
	}
	v.n++
	return v.n - 1
}

// Import adds an imported function and returns its index.
func (m *Module) Import(module, name string, params, results []api.ValueType) uint32 {
	if m.funcs.n > 0 {
		panic("hosttest: Import after Func")
	}
	return m.imports.add(text(module), text(name), []byte{0}, leb(m.typ(params, results)))
}

// ImportAll adds every function of host modules and returns their indices by name.
func (m *Module) ImportAll(modules ...*abi.Module) map[string]uint32 {
	index := make(map[string]uint32)
	for _, from := range modules {
		for _, f := range from.Funcs {
			index[f.Name] = m.Import(from.Name, f.Name, f.Params, f.Results)
		}
	}
	return index
}

// Memory gives the module a memory of pages (64 KiB each) that can grow,
// exported as "memory".
func (m *Module) Memory(pages uint32) {
	m.memory = append([]byte{0}, leb(pages)...)
	m.exports.add(text("memory"), []byte{2, 0})
}

// Global adds a mutable i32 that begins as v and returns its index.
func (m *Module) Global(v int32) uint32 { return m.GlobalOf(api.ValueTypeI32, I32Const(v)) }

// GlobalOf adds a mutable global that begins as what a constant instruction leaves.
func (m *Module) GlobalOf(t api.ValueType, begin []byte) uint32 {
	return m.globals.add([]byte{t, 1}, begin, End)
}

// Table adds a table that can grow, with null for each function, and returns its index.
func (m *Module) Table(size uint32) uint32 { return m.tables.add([]byte{0x70, 0}, leb(size)) }

// Elements puts functions at the beginning of a table when the module is
// instantiated.
func (m *Module) Elements(table uint32, functions ...uint32) {
	m.elements.add([]byte{2}, leb(table), I32Const(0), End, []byte{0}, indices(functions))
}

// PassiveElements are functions that TableInit puts into a table. It returns the
// index of the segment.
func (m *Module) PassiveElements(functions ...uint32) uint32 {
	return m.elements.add([]byte{1, 0}, indices(functions))
}

// Start has a function without parameters and results run at instantiation.
func (m *Module) Start(function uint32) { m.start = leb(function) }

// Names gives the module and its functions names, in the name section.
// Imported functions come first.
func (m *Module) Names(module string, functions ...string) {
	var list vector
	for i, f := range functions {
		list.add(leb(uint32(i)), text(f))
	}
	m.names = unit(text("name"), 0, text(module))
	m.names = section(m.names, 1, list)
}

// Data places b in memory when the module is instantiated.
func (m *Module) Data(offset uint32, b []byte) {
	m.data.add([]byte{0}, I32Const(int32(offset)), End, text(string(b)))
}

// PassiveData is what MemoryInit places in memory. It returns the index of the
// segment.
func (m *Module) PassiveData(b []byte) uint32 {
	m.passive = true
	return m.data.add([]byte{1}, text(string(b)))
}

// Func adds a function, exported unless export is empty, and returns its
// index. Locals follow the parameters in their numbering. The body is the
// concatenation of what the functions in ops.go make; its last End is added.
func (m *Module) Func(export string, params, results, locals []api.ValueType, body ...[]byte) uint32 {
	index := m.imports.n + m.funcs.add(leb(m.typ(params, results)))
	code := leb(uint32(len(locals)))
	for _, l := range locals {
		code = append(code, 1, l)
	}
	for _, op := range body {
		code = append(code, op...)
	}
	code = append(code, End...)
	m.codes.add(leb(uint32(len(code))), code)
	if export != "" {
		m.exports.add(text(export), []byte{0}, leb(index))
	}
	return index
}

// CallIndirect calls the function of that type whose index in a table is on top of
// the stack.
func (m *Module) CallIndirect(table uint32, params, results []api.ValueType) []byte {
	return append(append([]byte{0x11}, leb(m.typ(params, results))...), leb(table)...)
}

// Bytes is the module's binary.
func (m *Module) Bytes() []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	b = section(b, 1, m.types)
	b = section(b, 2, m.imports)
	b = section(b, 3, m.funcs)
	b = section(b, 4, m.tables)
	if m.memory != nil {
		b = section(b, 5, vector{1, m.memory})
	}
	b = section(b, 6, m.globals)
	b = section(b, 7, m.exports)
	b = unit(b, 8, m.start)
	b = section(b, 9, m.elements)
	if m.passive {
		b = unit(b, 12, leb(m.data.n))
	}
	b = section(b, 10, m.codes)
	b = section(b, 11, m.data)
	return unit(b, 0, m.names)
}

// unit appends a section that is no vector.
func unit(b []byte, id byte, content []byte) []byte {
	if content == nil {
		return b
	}
	return append(append(append(b, id), leb(uint32(len(content)))...), content...)
}

func section(b []byte, id byte, v vector) []byte {
	if v.n == 0 {
		return b
	}
	n := leb(v.n)
	b = append(append(b, id), leb(uint32(len(n)+len(v.bytes)))...)
	return append(append(b, n...), v.bytes...)
}

func (m *Module) typ(params, results []api.ValueType) uint32 {
	return m.types.add([]byte{0x60}, leb(uint32(len(params))), params, leb(uint32(len(results))), results)
}

func text(s string) []byte { return append(leb(uint32(len(s))), s...) }

func indices(list []uint32) []byte {
	b := leb(uint32(len(list)))
	for _, i := range list {
		b = append(b, leb(i)...)
	}
	return b
}

// leb encodes v as unsigned LEB128.
func leb(v uint32) []byte {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// signedLEB encodes v as signed LEB128.
func signedLEB(v int64) []byte {
	var b []byte
	for v < -0x40 || v >= 0x40 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// Proxy is a module that exports every function of host modules as a function
// of the same name that passes its parameters on, so that a test can call each
// as a guest would. It has one page of memory.
func Proxy(modules ...*abi.Module) []byte {
	var m Module
	index := m.ImportAll(modules...)
	m.Memory(1)
	for _, from := range modules {
		for _, f := range from.Funcs {
			var body [][]byte
			for i := range f.Params {
				body = append(body, LocalGet(uint32(i)))
			}
			m.Func(f.Name, f.Params, f.Results, nil, append(body, Call(index[f.Name]))...)
		}
	}
	return m.Bytes()
}
