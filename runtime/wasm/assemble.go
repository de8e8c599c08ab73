package wasm

// sectionWriters make the new content of a section from the old; nothing means
// that there is no such section.
var sectionWriters = map[byte]func(w *rewriter, old []byte) []byte{
	sectionType:      (*rewriter).typeSection,
	sectionImport:    (*rewriter).importSection,
	sectionFunction:  (*rewriter).functionSection,
	sectionTable:     (*rewriter).tableSection,
	sectionMemory:    (*rewriter).memorySection,
	sectionGlobal:    (*rewriter).globalSection,
	sectionExport:    (*rewriter).exportSection,
	sectionStart:     (*rewriter).startSection,
	sectionElement:   (*rewriter).elementSection,
	sectionDataCount: (*rewriter).dataCountSection,
	sectionCode:      (*rewriter).codeSection,
	sectionData:      (*rewriter).dataSection,
}

// extend appends entries to a vector.
func extend(old []byte, n int, more []byte) []byte {
	if n == 0 {
		return old
	}
	var e encoder
	r := reader{data: old}
	count := uint32(0)
	if len(old) > 0 {
		count = r.u32()
	}
	e.u32(count + uint32(n))
	e.raw(old[r.pos:])
	e.raw(more)
	return e.out
}

func (w *rewriter) typeSection(old []byte) []byte {
	var e encoder
	for _, t := range w.addedTypes {
		e.funcType(t)
	}
	return extend(old, len(w.addedTypes), e.out)
}

func (w *rewriter) importSection(old []byte) []byte {
	var e encoder
	for _, i := range w.addedImports {
		e.name(i.module)
		e.name(i.name)
		e.byte(byte(KindFunc))
		e.u32(i.typ)
	}
	return extend(old, len(w.addedImports), e.out)
}

func (w *rewriter) functionSection(old []byte) []byte {
	var e encoder
	for _, h := range w.helpers {
		e.u32(h.typ)
	}
	return extend(old, len(w.helpers), e.out)
}

func (w *rewriter) tableSection(old []byte) []byte {
	if len(w.addedElements) > 0 {
		return w.extendTable()
	}
	limit := w.options.TableLimit
	if limit == 0 || len(old) == 0 {
		return old
	}
	var e encoder
	defined := w.m.tables[w.m.importedTables:]
	e.u32(uint32(len(defined)))
	for _, t := range defined {
		if !t.HasMax || t.Max > limit {
			t.Max = max(t.Min, limit)
		}
		e.byte(byte(t.Type))
		e.limits(t.Min, t.Max, true)
	}
	return e.out
}

func (w *rewriter) memorySection(old []byte) []byte {
	if !w.options.FloatingMemory || !w.movesData || len(w.m.memories) == 0 {
		return old
	}
	var e encoder
	m := w.m.memories[0]
	e.u32(1)
	e.limits(0, m.Max, m.HasMax)
	return e.out
}

func (w *rewriter) globalSection(old []byte) []byte {
	if len(w.addedGlobals) > 0 {
		return w.extendGlobals(old)
	}
	if !w.options.Meter && !w.options.Split && w.shift() == 0 {
		return old
	}
	var e encoder
	defined := w.m.globals[w.m.importedGlobals:]
	n := len(defined)
	if w.options.Meter {
		n += 2
	}
	if n == 0 {
		return nil
	}
	e.u32(uint32(n))
	for _, g := range defined {
		e.byte(byte(g.Type), mutability(g))
		if w.taken(g) {
			e.zero(g.Type)
		} else {
			w.constant(&e, g.init)
		}
	}
	if w.options.Meter {
		e.byte(byte(I64), 1)
		e.zero(I64)
		e.byte(byte(I64), 1)
		e.i64Const(CallStack)
		e.byte(byte(opEnd))
	}
	return e.out
}

func mutability(g Global) byte {
	if g.Mutable {
		return 1
	}
	return 0
}

// zero writes a constant expression.
func (e *encoder) zero(t ValType) {
	switch t {
	case I32:
		e.byte(byte(opI32Const), 0)
	case I64:
		e.byte(byte(opI64Const), 0)
	case F32:
		e.byte(byte(opF32Const), 0, 0, 0, 0)
	case F64:
		e.byte(byte(opF64Const), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	e.byte(byte(opEnd))
}

// constant copies a constant expression; a function moves.
func (w *rewriter) constant(e *encoder, c constExpr) {
	if c.op != opRefFunc {
		e.raw(w.m.data[c.start:c.end])
		return
	}
	e.op(opRefFunc, w.function(c.index))
	e.byte(byte(opEnd))
}

func (w *rewriter) exportSection(old []byte) []byte {
	if w.shift() == 0 && !w.options.ExportGlobals && !w.options.ExportStart {
		return old
	}
	var e encoder
	exports := w.m.exports
	for _, g := range w.result.Globals {
		exports = append(exports[:len(exports):len(exports)], Export{g.Name, KindGlobal, g.Index})
	}
	if w.options.Meter {
		exports = append(exports[:len(exports):len(exports)], Export{FuelExport, KindGlobal, w.meter.fuel}, Export{RoomExport, KindGlobal, w.meter.room})
	}
	if w.options.ExportStart && w.m.hasStart {
		exports = append(exports[:len(exports):len(exports)], Export{StartExport, KindFunc, w.m.start})
	}
	w.withAdded(&e, exports)
	return e.out
}

func (w *rewriter) startSection(old []byte) []byte {
	if len(old) == 0 || w.options.ExportStart {
		return nil
	}
	return appendU32(nil, w.function(w.m.start))
}

func (w *rewriter) elementSection(old []byte) []byte {
	if len(old) == 0 || w.shift() == 0 {
		return old
	}
	e := encoder{make([]byte, 0, len(old)+len(old)/4)}
	e.u32(uint32(len(w.m.elements)))
	for _, s := range w.m.elements {
		e.raw(w.m.data[s.whole.start:s.items.start])
		w.elements(&e, s)
	}
	if len(w.addedElements) > 0 {
		return w.extendElements(e.out)
	}
	return e.out
}

func (w *rewriter) elements(e *encoder, s element) {
	r := walker{reader: reader{data: w.m.data[:s.items.end], pos: s.items.start}}
	if !s.exprs {
		for range s.count {
			e.u32(w.function(r.u32()))
		}
		return
	}
	for r.next() {
		if r.op == opRefFunc {
			e.op(opRefFunc, w.function(r.index))
		} else {
			e.raw(w.m.data[r.start:r.end])
		}
	}
}

func (w *rewriter) codeSection(old []byte) []byte {
	if w.shift() == 0 {
		return old
	}
	e := encoder{make([]byte, 0, len(old)+len(old)/2)}
	e.u32(uint32(len(w.m.bodies) + len(w.helpers)))
	b := bodyWriter{rewriter: w}
	for i := range w.m.bodies {
		body := b.write(uint32(w.m.importedFuncs + i))
		e.u32(uint32(len(body)))
		e.raw(body)
	}
	for _, h := range w.helpers {
		e.u32(uint32(len(h.body)))
		e.raw(h.body)
	}
	return e.out
}
