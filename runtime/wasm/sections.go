package wasm

import "unicode/utf8"

// firstEntries bounds what is allocated ahead: an entry takes more memory than
// the byte or two that are known to be there.
const firstEntries = 4096

func (p *parser) typeSection(r *reader) {
	n := r.count("types", p.limits.Types)
	p.m.types = make([]FuncType, 0, min(n, firstEntries))
	for range n {
		start := r.pos
		if b := r.byte(); b != 0x60 && r.err == nil {
			r.failAt(start, "type form %#x: only functions are supported", b)
		}
		t := FuncType{p.typeList(r, "parameters", p.limits.Params), p.typeList(r, "results", p.limits.Results)}
		if r.err != nil {
			return
		}
		p.m.types = append(p.m.types, t)
	}
}

func (p *parser) typeList(r *reader, what string, limit int) []ValType {
	n := r.count(what, limit)
	if n == 0 {
		return nil
	}
	list := make([]ValType, n)
	for i := range list {
		list[i] = r.valType()
	}
	return list
}

func (p *parser) importSection(r *reader) {
	for range r.count("imports", p.limits.Imports) {
		i := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		if r.err == nil {
			p.importType(r, i.Kind)
		}
		if r.err != nil {
			return
		}
		p.m.imports = append(p.m.imports, i)
	}
	m := p.m
	m.importedFuncs, m.importedTables = len(m.funcs), len(m.tables)
	m.importedMemories, m.importedGlobals = len(m.memories), len(m.globals)
}

func (p *parser) importType(r *reader, k Kind) {
	switch k {
	case KindFunc:
		p.m.funcs = append(p.m.funcs, p.typeIndex(r))
	case KindTable:
		p.addTable(r)
	case KindMemory:
		p.addMemory(r)
	case KindGlobal:
		p.m.globals = append(p.m.globals, r.globalType())
	default:
		r.failAt(r.pos-1, "unknown import %s", k)
	}
}

func (p *parser) typeIndex(r *reader) uint32 {
	start := r.pos
	t := r.u32()
	if r.err == nil && uint64(t) >= uint64(len(p.m.types)) {
		r.failAt(start, "unknown type %d of %d", t, len(p.m.types))
	}
	return t
}

func (p *parser) addTable(r *reader) {
	start := r.pos
	p.m.tables = append(p.m.tables, r.tableType(p.limits))
	if len(p.m.tables) > p.limits.Tables {
		r.failAt(start, "more than %d tables", p.limits.Tables)
	}
}

func (p *parser) addMemory(r *reader) {
	start := r.pos
	p.m.memories = append(p.m.memories, r.memoryType(p.limits))
	if len(p.m.memories) > 1 {
		r.failAt(start, "multiple memories are not supported")
	}
}

func (p *parser) functionSection(r *reader) {
	n := r.count("functions", p.limits.Functions-len(p.m.funcs))
	all := make([]uint32, len(p.m.funcs), len(p.m.funcs)+n)
	copy(all, p.m.funcs)
	p.m.funcs = all
	for range n {
		p.m.funcs = append(p.m.funcs, p.typeIndex(r))
	}
}

func (p *parser) tableSection(r *reader) {
	for range r.count("tables", p.limits.Tables) {
		if r.err == nil {
			p.addTable(r)
		}
	}
}

func (p *parser) memorySection(r *reader) {
	for range r.count("memories", r.left()) {
		if r.err == nil {
			p.addMemory(r)
		}
	}
}

func (p *parser) globalSection(r *reader) {
	for range r.count("globals", p.limits.Globals-len(p.m.globals)) {
		g := r.globalType()
		if r.err == nil {
			g.init = p.constExpr(r, g.Type)
		}
		if r.err != nil {
			return
		}
		p.m.globals = append(p.m.globals, g)
	}
}

func (p *parser) exportSection(r *reader) {
	for range r.count("exports", p.limits.Exports) {
		start := r.pos
		e := Export{Name: r.name(), Kind: Kind(r.byte()), Index: r.u32()}
		switch {
		case r.err != nil:
			return
		case p.seen[e.Name]:
			r.failAt(start, "duplicate export name %q", e.Name)
			return
		}
		p.seen[e.Name] = true
		p.checkExport(r, start, e)
		p.m.exports = append(p.m.exports, e)
	}
}

func (p *parser) checkExport(r *reader, start int, e Export) {
	var n int
	switch e.Kind {
	case KindFunc:
		n = len(p.m.funcs)
	case KindTable:
		n = len(p.m.tables)
	case KindMemory:
		n = len(p.m.memories)
	case KindGlobal:
		n = len(p.m.globals)
	default:
		r.failAt(start, "export %q of unknown %s", e.Name, e.Kind)
		return
	}
	if uint64(e.Index) >= uint64(n) {
		r.failAt(start, "unknown %s: export %q names %d of %d", e.Kind, e.Name, e.Index, n)
		return
	}
	if e.Kind == KindFunc {
		p.m.declare(e.Index)
	}
}

func (p *parser) startSection(r *reader) {
	start := r.pos
	p.m.hasStart, p.m.start = true, r.u32()
	switch {
	case r.err != nil:
	case uint64(p.m.start) >= uint64(len(p.m.funcs)):
		r.failAt(start, "unknown function: start names %d of %d", p.m.start, len(p.m.funcs))
	default:
		if t := p.m.funcType(p.m.start); len(t.Params)+len(t.Results) > 0 {
			r.failAt(start, "start function must be () -> (), it is %s", t)
		}
	}
}

func (p *parser) codeSection(r *reader) {
	defined := len(p.m.funcs) - p.m.importedFuncs
	start := r.pos
	n := r.count("function bodies", p.limits.Functions)
	if n != defined && r.err == nil {
		r.failAt(start, "function and code section have inconsistent lengths: %d functions, %d bodies", defined, n)
		return
	}
	p.m.bodies = make([]span, 0, n)
	p.m.makeDeclared()
	v := newValidator(p.m, p.limits)
	for range n {
		p.body(r, v)
		if r.err != nil {
			return
		}
	}
	p.m.complexity = v.cost.total
}

func (p *parser) body(r *reader, v *validator) {
	start := r.pos
	size := r.u32()
	if r.err == nil && uint64(size) > uint64(p.limits.FunctionSize) {
		r.failAt(start, "function body of %d bytes, the limit is %d", size, p.limits.FunctionSize)
	}
	at := r.pos
	r.bytes(size)
	if r.err != nil {
		return
	}
	f := uint32(p.m.importedFuncs + len(p.m.bodies))
	p.m.bodies = append(p.m.bodies, span{at, r.pos})
	body := reader{data: r.data[:r.pos], pos: at}
	calls := len(p.m.calls)
	v.function(&body, p.m.funcType(f))
	r.err = body.err
	if r.err == nil {
		p.m.callsOf = append(p.m.callsOf, span{calls, len(p.m.calls)})
		p.m.frames = append(p.m.frames, v.frame.of(&v.flow, len(p.m.funcType(f).Params)))
	}
}

func (p *parser) customSection(r *reader) {
	start := r.pos
	n := r.bytes(r.u32())
	switch p.custom += len(n) + r.left(); {
	case r.err != nil:
		return
	case !utf8.Valid(n):
		r.failAt(start, "malformed UTF-8 encoding of a custom section's name")
		return
	case p.custom > p.limits.Customs:
		r.failAt(start, "more than %d bytes of custom sections", p.limits.Customs)
		return
	}
	if string(n) == "name" {
		p.m.names = span{r.pos, len(r.data)}
	}
	r.pos = len(r.data)
}
