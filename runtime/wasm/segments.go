package wasm

// The flags of a segment's kind.
const (
	segmentPassive  = 1 // or declared, together with segmentExplicit
	segmentExplicit = 2 // a table or memory index follows
	segmentExprs    = 4 // elements are expressions
)

func (p *parser) elementSection(r *reader) {
	total := 0
	for range r.count("element segments", p.limits.ElementSegments) {
		start := r.pos
		e := p.elementHead(r)
		if r.err != nil {
			return
		}
		e.count = r.count("elements", p.limits.Elements-total)
		total += e.count
		e.items.start = r.pos
		p.elementItems(r, &e)
		e.items.end = r.pos
		e.whole = span{start, r.pos}
		p.m.elements = append(p.m.elements, e)
	}
}

func (p *parser) elementHead(r *reader) (e element) {
	start := r.pos
	kind := r.u32()
	if kind > 7 {
		r.failAt(start, "element segment of unknown kind %d", kind)
		return e
	}
	e.typ, e.exprs = FuncRef, kind&segmentExprs != 0
	table, active := uint32(0), kind&segmentPassive == 0
	if active {
		if kind&segmentExplicit != 0 {
			table = r.u32()
		}
		if uint64(table) >= uint64(len(p.m.tables)) {
			r.failAt(start, "unknown table %d of %d in an element segment", table, len(p.m.tables))
			return e
		}
		p.constExpr(r, I32)
	}
	if kind&(segmentPassive|segmentExplicit) != 0 {
		p.elementType(r, &e)
	}
	if active && r.err == nil && p.m.tables[table].Type != e.typ {
		r.failAt(start, "type mismatch: element segment of %s for a table of %s", e.typ, p.m.tables[table].Type)
	}
	return e
}

func (p *parser) elementType(r *reader, e *element) {
	if e.exprs {
		e.typ = r.refType()
	} else if b := r.byte(); b != 0 {
		r.failAt(r.pos-1, "element kind %#x is unknown: only functions", b)
	}
}

func (p *parser) elementItems(r *reader, e *element) {
	for range e.count {
		if r.err != nil {
			return
		}
		if e.exprs {
			p.constExpr(r, e.typ)
			continue
		}
		start := r.pos
		f := r.u32()
		if uint64(f) >= uint64(len(p.m.funcs)) {
			r.failAt(start, "unknown function %d of %d in an element segment", f, len(p.m.funcs))
			return
		}
		p.m.declare(f)
	}
}

func (p *parser) dataSection(r *reader) {
	start := r.pos
	n := r.count("data segments", p.limits.DataSegments)
	if p.m.hasDataCount && r.err == nil && int(p.m.dataCount) != n {
		r.failAt(start, "data count and data section have inconsistent lengths: %d announced, %d there", p.m.dataCount, n)
	}
	p.m.segments = make([]data, 0, min(n, 1+r.left()/4))
	for range n {
		d := p.dataSegment(r)
		if r.err != nil {
			return
		}
		p.m.segments = append(p.m.segments, d)
	}
}

func (p *parser) dataSegment(r *reader) (d data) {
	start := r.pos
	kind := r.u32()
	if kind > 2 {
		r.failAt(start, "data segment of unknown kind %d", kind)
		return d
	}
	if d.active = kind&segmentPassive == 0; d.active {
		memory := uint32(0)
		if kind&segmentExplicit != 0 {
			memory = r.u32()
		}
		if uint64(memory) >= uint64(len(p.m.memories)) {
			r.failAt(start, "unknown memory %d of %d in a data segment", memory, len(p.m.memories))
			return d
		}
		offset := p.constExpr(r, I32)
		d.op, d.offset = offset.op, uint32(offset.bits)
	}
	n := r.u32()
	d.start, d.bytes = uint32(start), uint32(r.pos)
	r.bytes(n)
	d.end = uint32(r.pos)
	return d
}
