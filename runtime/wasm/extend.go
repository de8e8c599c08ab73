package wasm

import (
	"fmt"
	"slices"
)

// Extension is what Extend adds to a module: functions written in code, what
// they import, and globals that they keep values in.
type Extension struct {
	Imports []AddedImport
	Globals []AddedGlobal
	Funcs   []AddedFunc
}

// AddedImport is a function that is imported. Name is what Code.Call finds it by.
type AddedImport struct {
	Module, Name string
	Type         FuncType
}

// AddedGlobal is a mutable global that begins as zero.
type AddedGlobal struct {
	Name string
	Type ValType
}

// AddedFunc is a function. Those with Export are exported under their name,
// those with Pointer are appended to table 0.
type AddedFunc struct {
	Name            string
	Type            FuncType
	Locals          []ValType // numbered behind the parameters
	Export, Pointer bool
	// Wraps says that the module has a function of this Name and Type, going by its name section,
	// in whose place this one is called. Code.Call calls the module's.
	Wraps bool
	Body  func(*Code)
}

// Extend returns the module with more functions in it, which may call those that
// it exports and be pointed to from its table. Custom sections but for the names
// are left out. The result is a module like any other: Parse validates it. The
// receiver stays as it is.
func (m *Module) Extend(x Extension) ([]byte, error) {
	w := &rewriter{m: m, options: Options{DropCustoms: true}}
	if len(m.elements) != 1 || len(m.tables) != 1 || m.importedTables > 0 || m.elements[0].exprs || len(x.Imports) == 0 {
		return nil, fmt.Errorf("extend module: it must have one table of functions with one element segment, and the extension an import")
	}
	for _, i := range x.Imports {
		w.addImport(i.Module, i.Name, w.addType(i.Type))
	}
	wrapped, err := w.findWrapped(x)
	if err != nil {
		return nil, err
	}
	c := newCode(w, x)
	for i, f := range wrapped {
		c.funcs[f.name] = w.shift() + uint32(len(m.funcs)+len(x.Funcs)+i)
	}
	for _, f := range x.Funcs {
		if err := w.addFunc(c, f); err != nil {
			return nil, err
		}
	}
	w.moveWrapped(wrapped)
	for _, g := range x.Globals {
		w.addedGlobals = append(w.addedGlobals, g.Type)
	}
	w.module()
	return w.out, nil
}

func (w *rewriter) addFunc(c *Code, f AddedFunc) error {
	c.out = nil
	c.u32(uint32(len(f.Locals)))
	for _, t := range f.Locals {
		c.byte(1, byte(t))
	}
	f.Body(c)
	c.byte(byte(opEnd))
	if c.err != nil {
		return fmt.Errorf("extend module: function %s: %w", f.Name, c.err)
	}
	index := w.addHelper(f.Type, c.encoder)
	if f.Export {
		w.addedExports = append(w.addedExports, Export{f.Name, KindFunc, index})
	}
	if f.Pointer {
		w.addedElements = append(w.addedElements, index)
	}
	return nil
}

// findWrapped finds the functions that added ones are called in place of.
func (w *rewriter) findWrapped(x Extension) (list []functionName, err error) {
	w.redirected = map[uint32]redirection{}
	names := w.m.functionNames()
	for i, f := range x.Funcs {
		if !f.Wraps {
			continue
		}
		at := slices.IndexFunc(names, func(n functionName) bool { return n.name == f.Name })
		if at < 0 || names[at].index < uint32(w.m.importedFuncs) {
			return nil, fmt.Errorf("extend module: there is no function %s to wrap", f.Name)
		}
		if typ := w.m.funcType(names[at].index); !sameTypes(typ.Params, f.Type.Params) || !sameTypes(typ.Results, f.Type.Results) {
			return nil, fmt.Errorf("extend module: function %s has another type than what wraps it", f.Name)
		}
		w.redirected[names[at].index] = redirection{index: w.shift() + uint32(len(w.m.funcs)+i)}
		list = append(list, names[at])
	}
	return list, nil
}

// moveWrapped appends the functions themselves, which are no longer where they were.
func (w *rewriter) moveWrapped(list []functionName) {
	for _, f := range list {
		to := w.redirected[f.index]
		delete(w.redirected, f.index)
		b := bodyWriter{rewriter: w}
		w.addHelper(w.m.funcType(f.index), encoder{slices.Clone(b.write(f.index))})
		w.redirected[f.index] = to
	}
}

// Code writes the instructions of a function that Extend adds. Functions and
// globals have names; the first error stays.
type Code struct {
	encoder
	err      error
	funcs    map[string]uint32
	pointers map[string]uint32
	globals  map[string]uint32
}

func newCode(w *rewriter, x Extension) *Code {
	c := &Code{funcs: map[string]uint32{}, pointers: map[string]uint32{}, globals: map[string]uint32{}}
	for _, e := range w.m.exports {
		if e.Kind == KindFunc {
			c.funcs[e.Name] = w.function(e.Index)
		}
	}
	for i, added := range x.Imports {
		c.funcs[added.Name] = uint32(w.m.importedFuncs + i)
	}
	next := w.m.firstFree()
	for i, f := range x.Funcs {
		c.funcs[f.Name] = w.shift() + uint32(len(w.m.funcs)+i)
		if f.Pointer {
			c.pointers[f.Name] = next
			next++
		}
	}
	for i, g := range x.Globals {
		c.globals[g.Name] = uint32(len(w.m.globals) + i)
	}
	return c
}

// firstFree is the entry of the only table behind its only segment.
func (m *Module) firstFree() uint32 { return m.tables[0].Min }

func (c *Code) index(kind string, in map[string]uint32, name string) uint32 {
	i, ok := in[name]
	if !ok && c.err == nil {
		c.err = fmt.Errorf("there is no %s %s", kind, name)
	}
	return i
}

// Call calls a function that was added or that the module exports.
func (c *Code) Call(name string) { c.encoder.op(opCall, c.index("function", c.funcs, name)) }

// Pointer pushes the index in table 0 of a function that was added.
func (c *Code) Pointer(name string) {
	c.I32(int32(c.index("function in the table", c.pointers, name)))
}

// GlobalGet pushes a global that was added.
func (c *Code) GlobalGet(name string) {
	c.encoder.op(opGlobalGet, c.index("global", c.globals, name))
}

// GlobalSet pops into a global that was added.
func (c *Code) GlobalSet(name string) {
	c.encoder.op(opGlobalSet, c.index("global", c.globals, name))
}

// StackGet pushes what StackSet sets.
func (c *Code) StackGet() { c.encoder.op(opGlobalGet, 0) }

// StackSet pops into global 0, which is the stack pointer where LLVM compiled
// the module.
func (c *Code) StackSet() { c.encoder.op(opGlobalSet, 0) }

func (c *Code) I32(v int32)       { c.i32Const(v) }
func (c *Code) I64(v int64)       { c.i64Const(v) }
func (c *Code) Local(i uint32)    { c.encoder.op(opLocalGet, i) }
func (c *Code) LocalSet(i uint32) { c.encoder.op(opLocalSet, i) }

// Br and BrIf branch out of so many blocks, counted from 0, or to the beginning
// of a loop.
func (c *Code) Br(depth uint32)   { c.encoder.op(opBr, depth) }
func (c *Code) BrIf(depth uint32) { c.encoder.op(opBrIf, depth) }

// Op writes instructions that have nothing behind their byte, or its parts.
func (c *Code) Op(bytes ...byte) { c.byte(bytes...) }

// If runs body if what it pops is not zero.
func (c *Code) If(body func()) { c.block(opIf, body) }

// Block is left by branches to it.
func (c *Code) Block(body func()) { c.block(opBlock, body) }

// Loop begins again by branches to it.
func (c *Code) Loop(body func()) { c.block(opLoop, body) }

func (c *Code) block(op opcode, body func()) {
	c.byte(byte(op), emptyBlock)
	body()
	c.byte(byte(opEnd))
}

// extendTable makes room for added functions.
func (w *rewriter) extendTable() []byte {
	t := w.m.tables[0]
	n := uint32(len(w.addedElements))
	var e encoder
	e.u32(1)
	e.byte(byte(t.Type))
	e.limits(t.Min+n, t.Max+n, t.HasMax)
	return e.out
}

// extendElements appends a segment of its own for added functions.
func (w *rewriter) extendElements(old []byte) []byte {
	var e encoder
	e.byte(0)
	e.i32Const(int32(w.m.firstFree()))
	e.byte(byte(opEnd))
	e.u32(uint32(len(w.addedElements)))
	for _, f := range w.addedElements {
		e.u32(f)
	}
	return extend(old, 1, e.out)
}

func (w *rewriter) extendGlobals(old []byte) []byte {
	var e encoder
	for _, t := range w.addedGlobals {
		e.byte(byte(t), 1)
		e.zero(t)
	}
	return extend(old, len(w.addedGlobals), e.out)
}

// withAdded is exports with those of added functions.
func (w *rewriter) withAdded(e *encoder, exports []Export) {
	e.u32(uint32(len(exports) + len(w.addedExports)))
	for _, x := range exports {
		e.name(x.Name)
		e.byte(byte(x.Kind))
		if x.Kind == KindFunc {
			x.Index = w.function(x.Index)
		}
		e.u32(x.Index)
	}
	for _, x := range w.addedExports {
		e.name(x.Name)
		e.byte(byte(x.Kind))
		e.u32(x.Index)
	}
}
