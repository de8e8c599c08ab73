package wasm

// Section ids, in the order of sectionOrder but for the data count.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount

	lastSection = sectionDataCount
)

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

// span is a range of the module's bytes.
type span struct{ start, end int }

// section is one section as it stands in the module.
type section struct {
	id    byte
	whole span // with id and size
	body  span
}

// element is one element segment.
type element struct {
	typ   ValType
	count int
	items span // the function indices or expressions
	exprs bool // items are expressions
	whole span
}

// data is one data segment. There may be many, hence the small fields.
type data struct {
	start, bytes, end uint32 // where it begins, where its bytes do, where both end
	offset            uint32 // of an active one, if op is i32.const
	op                opcode
	active            bool
}

// Module is a valid module. It does not change and is safe for concurrent use.
type Module struct {
	data     []byte
	sections []section

	types    []FuncType
	imports  []Import
	funcs    []uint32 // type of each function, imported ones first
	tables   []Table
	memories []Memory
	globals  []Global
	exports  []Export
	elements []element
	bodies   []span   // of the defined functions, without their size
	frames   []uint32 // about the bytes of native stack that each of them uses
	calls    []uint32 // what they call: functions, and behind those types
	callsOf  []span   // of each body, in calls
	segments []data

	importedFuncs, importedTables, importedMemories, importedGlobals int

	hasStart     bool
	start        uint32
	hasDataCount bool
	dataCount    uint32
	declared     []bool // functions that ref.func may name
	totalLocals  int
	complexity   int
	names        span // content of the name section, without its own name
	facts        Facts
}

// parser is what Parse needs beside the module that it fills.
type parser struct {
	m      *Module
	limits *Limits
	last   int // position of the last section in sectionOrder
	consts walker
	custom int // bytes of custom sections so far
	seen   map[string]bool
}

// Parse reads and validates a module in one pass. It never allocates for more
// entries than bytes are there. The error is a *SyntaxError.
func Parse(data []byte, limits Limits) (*Module, error) {
	if err := CheckHeader(data); err != nil {
		return nil, err
	}
	m := &Module{data: data}
	p := &parser{m: m, limits: &limits, seen: map[string]bool{}}
	p.consts.limits = p.limits
	r := &reader{data: data, pos: headerSize}
	if len(data) > limits.ModuleSize {
		r.fail("the module has %d bytes, the limit is %d", len(data), limits.ModuleSize)
	}
	for !r.atEnd() {
		p.section(r)
	}
	p.finish(r)
	if r.err != nil {
		return nil, r.err
	}
	m.collectFacts()
	return m, nil
}

// sectionOrder says which place a section has: the data count stands before the
// code, so that code can be checked in one pass.
var sectionOrder = [...]int{sectionType: 1, sectionImport: 2, sectionFunction: 3, sectionTable: 4, sectionMemory: 5, sectionGlobal: 6, sectionExport: 7, sectionStart: 8, sectionElement: 9, sectionDataCount: 10, sectionCode: 11, sectionData: 12}

func (p *parser) section(r *reader) {
	start := r.pos
	id, body := r.section()
	if r.err != nil {
		return
	}
	p.m.sections = append(p.m.sections, section{id, span{start, r.pos}, span{body.pos, r.pos}})
	if id != sectionCustom {
		if sectionOrder[id] <= p.last {
			r.failAt(start, "the %s section stands twice or in the wrong order: unexpected content after last section", sectionNames[id])
			return
		}
		p.last = sectionOrder[id]
	}
	p.sectionBody(id, body)
	if body.err == nil && body.pos != len(body.data) {
		body.fail("section size mismatch: %d bytes behind the end of the %s section", body.left(), sectionNames[id])
	}
	r.err = body.err
}

func (p *parser) sectionBody(id byte, r *reader) {
	switch id {
	case sectionCustom:
		p.customSection(r)
	case sectionType:
		p.typeSection(r)
	case sectionImport:
		p.importSection(r)
	case sectionFunction:
		p.functionSection(r)
	case sectionTable:
		p.tableSection(r)
	case sectionMemory:
		p.memorySection(r)
	case sectionGlobal:
		p.globalSection(r)
	case sectionExport:
		p.exportSection(r)
	case sectionStart:
		p.startSection(r)
	case sectionElement:
		p.elementSection(r)
	case sectionDataCount:
		p.m.hasDataCount, p.m.dataCount = true, r.u32()
	case sectionCode:
		p.codeSection(r)
	case sectionData:
		p.dataSection(r)
	}
}

// finish checks what only the whole module can tell.
func (p *parser) finish(r *reader) {
	m := p.m
	switch {
	case r.err != nil:
	case len(m.bodies) != len(m.funcs)-m.importedFuncs:
		r.fail("function and code section have inconsistent lengths: %d functions, %d bodies", len(m.funcs)-m.importedFuncs, len(m.bodies))
	case m.hasDataCount && int(m.dataCount) != len(m.segments):
		r.fail("data count and data section have inconsistent lengths: %d announced, %d there", m.dataCount, len(m.segments))
	}
}

// declare lets ref.func in code name a function.
func (m *Module) declare(f uint32) {
	m.makeDeclared()
	m.declared[f] = true
}

// makeDeclared is called when all functions are known.
func (m *Module) makeDeclared() {
	if m.declared == nil {
		m.declared = make([]bool, len(m.funcs))
	}
}

func (m *Module) funcType(f uint32) FuncType { return m.types[m.funcs[f]] }

// Imports lists what the module wants from outside. The list is shared: nobody
// may change it.
func (m *Module) Imports() []Import { return m.imports }

// Exports lists what the module offers. The list is shared.
func (m *Module) Exports() []Export { return m.exports }

// FuncType returns the type of a function, imported ones counted first.
func (m *Module) FuncType(index uint32) FuncType { return m.funcType(index) }
