package wasm

// Facts is what a module does or has that decides how an instance of it can be
// reset and what it costs. The booleans say what its code could do, not what it
// will.
type Facts struct {
	MutatesTables        bool // table.set, grow, fill, copy, init, elem.drop
	DropsData            bool // data.drop
	UsesMemoryInit       bool
	SetsReferenceGlobals bool
	SetsV128Globals      bool
	GrowsMemory          bool
	TakesFuncRefs        bool // ref.func in code: the engine keeps memory for each one that runs
	HasStart             bool

	HasMemory bool
	Memory    Memory
	Tables    []Table // imported ones first

	Functions, ImportedFunctions int // all, and the imported among them
	Globals, Exports             int
	DataSegments, Elements       int
	CodeSize                     int // bytes of the code section
	Complexity                   int // as Limits.Complexity counts it
}

// Facts tells what was found while parsing.
func (m *Module) Facts() Facts { return m.facts }

// Resettable says whether memory and exported numeric globals are all that an
// instance can change, so that putting them back gives the first-ever state.
func (f Facts) Resettable() bool {
	return !f.MutatesTables && !f.DropsData && !f.SetsReferenceGlobals && !f.SetsV128Globals && !f.TakesFuncRefs
}

func (m *Module) collectFacts() {
	f := &m.facts
	f.HasStart = m.hasStart
	if f.HasMemory = len(m.memories) > 0; f.HasMemory {
		f.Memory = m.memories[0]
	}
	f.Tables = m.tables
	f.Functions, f.ImportedFunctions = len(m.funcs), m.importedFuncs
	f.Globals, f.Exports = len(m.globals), len(m.exports)
	f.DataSegments = len(m.segments)
	for _, e := range m.elements {
		f.Elements += e.count
	}
	for _, s := range m.sections {
		if s.id == sectionCode {
			f.CodeSize = s.body.end - s.body.start
		}
	}
	f.Complexity = m.complexity
}
