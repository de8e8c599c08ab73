package wasm

import "fmt"

// Image is what Split takes out of a module: the same code with another image is
// another module. Its bytes are those that the module was parsed from.
type Image struct {
	MemoryPages uint32 // the declared minimum
	Segments    []Segment
	Globals     []GlobalValue // defined, mutable, numeric
}

// Segment is data at an offset. It lies within the declared minimum.
type Segment struct {
	Offset uint32
	Bytes  []byte
}

// GlobalValue is a global with its initial value, as bits.
type GlobalValue struct {
	Index uint32
	Name  string // the reserved name, exported if Options.ExportGlobals is set
	Type  ValType
	Bits  uint64
}

// Apply writes the segments in order into memory, which must have at least
// MemoryPages pages.
func (i *Image) Apply(memory []byte) {
	for _, s := range i.Segments {
		copy(memory[s.Offset:], s.Bytes)
	}
}

// split fills the image. Data stays in the code where it can't be placed ahead:
// in an imported memory, or at an offset that an import decides.
func (w *rewriter) split() error {
	m, image := w.m, &w.result.Image
	w.movesData = m.placesData()
	if len(m.memories) > m.importedMemories {
		image.MemoryPages = m.memories[0].Min
	}
	if w.movesData {
		image.Segments = make([]Segment, 0, len(m.segments))
	}
	for i := range m.segments {
		s := &m.segments[i]
		if !s.active || !w.movesData {
			continue
		}
		if end := uint64(s.offset) + uint64(s.end-s.bytes); end > uint64(image.MemoryPages)<<16 {
			return &SyntaxError{int(s.start), fmt.Sprintf("data segment %d ends at %d, outside of the memory of %d pages: the module can never be instantiated", i, end, image.MemoryPages)}
		}
		image.Segments = append(image.Segments, Segment{s.offset, m.data[s.bytes:s.end]})
	}
	for i, g := range m.globals {
		if w.taken(g) {
			image.Globals = append(image.Globals, globalValue(uint32(i), g))
		}
	}
	return nil
}

func globalValue(index uint32, g Global) GlobalValue {
	bits := g.init.bits
	if g.Type == I32 {
		bits = uint64(uint32(bits))
	}
	return GlobalValue{Index: index, Name: GlobalExport(index), Type: g.Type, Bits: bits}
}

// placesData says whether active data can leave the code.
func (m *Module) placesData() bool {
	if m.importedMemories > 0 {
		return false
	}
	for i := range m.segments {
		if s := &m.segments[i]; s.active && s.op != opI32Const {
			return false
		}
	}
	return true
}

// taken says whether a global's value leaves the code.
func (w *rewriter) taken(g Global) bool {
	return w.options.Split && g.Mutable && g.Type.numeric() && g.init.isNumber()
}

// collectGlobals lists what ExportGlobals exports.
func (w *rewriter) collectGlobals() {
	if !w.options.ExportGlobals {
		return
	}
	for i, g := range w.m.globals {
		if i >= w.m.importedGlobals && g.Mutable && g.Type.numeric() {
			w.result.Globals = append(w.result.Globals, globalValue(uint32(i), g))
		}
	}
}

// keepsSegments says whether the code names data segments, so that each must
// keep its place.
func (w *rewriter) keepsSegments() bool {
	return w.m.facts.UsesMemoryInit || w.m.facts.DropsData
}

func (w *rewriter) dataCountSection(old []byte) []byte {
	if w.movesData && !w.keepsSegments() {
		return nil
	}
	return old
}

// dataSection leaves passive segments and turns active ones into empty passive
// ones: what an active segment is once it was copied.
func (w *rewriter) dataSection(old []byte) []byte {
	switch {
	case !w.movesData:
		return old
	case !w.keepsSegments():
		return nil
	}
	var e encoder
	e.u32(uint32(len(w.m.segments)))
	for _, s := range w.m.segments {
		if s.active {
			e.byte(segmentPassive, 0)
		} else {
			e.raw(w.m.data[s.start:s.end])
		}
	}
	return e.out
}
