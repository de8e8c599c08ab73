package wasm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ReservedPrefix begins every name that Rewrite adds. Modules that use it for
// exports, or import from such a module, are refused.
const ReservedPrefix = "mayfly:"

// Names of what Rewrite adds.
const (
	FuelExport  = ReservedPrefix + "fuel"  // global, i64: units left; below 0 Tick is called
	StartExport = ReservedPrefix + "start" // function () -> (): the start function
	TickModule  = ReservedPrefix + "engine"
	TickName    = "tick"
)

// GlobalExport is the name under which a global, by its index, is exported.
func GlobalExport(index uint32) string { return fmt.Sprintf("%sglobal:%d", ReservedPrefix, index) }

// Options says what Rewrite changes. The zero value changes nothing.
type Options struct {
	// Meter counts units in FuelExport and calls TickModule.TickName, a function
	// (remaining i64) -> i64 that returns what remains from now on, whenever the
	// count falls below 0. See metering.go.
	Meter bool
	// Replace makes a function, found by its name in the name section, call an
	// import of the same type instead. Imported functions and names that are
	// not found are left out of Rewritten.Replaced.
	Replace map[string]ImportName
	// ExportGlobals exports every mutable numeric global of the module under
	// GlobalExport, so that a host can read and set it.
	ExportGlobals bool
	// Split takes data and the values of mutable numeric globals out of the
	// code, into Rewritten.Image.
	Split bool
	// FloatingMemory declares a memory with a minimum of 0 pages: the host must
	// provide Image.MemoryPages before any code runs. Only with Split, and only
	// where no data stays in the code.
	FloatingMemory bool
	// ExportStart removes the start section and exports its function as
	// StartExport.
	ExportStart bool
	// TableLimit is the largest maximum a table of the module keeps, in entries,
	// unless its minimum is larger; 0 leaves tables alone.
	TableLimit uint32
	// DropCustoms removes all custom sections, and keeps function names when
	// they are small. Whatever shifts function indices implies it.
	DropCustoms bool
}

// ImportName is where a function comes from.
type ImportName struct{ Module, Name string }

// Rewritten is a new module and what was taken out of it.
type Rewritten struct {
	Code  []byte
	Image Image
	// Globals are those exported by Options.ExportGlobals.
	Globals []GlobalValue
	// Replaced are the names of Options.Replace that were found, sorted.
	Replaced []string
}

// rewriter writes one module. What it adds to an index space stands behind what
// was there, functions apart: an added import moves the defined ones by one.
type rewriter struct {
	encoder
	m       *Module
	options Options
	result  Rewritten

	addedTypes   []FuncType
	addedImports []addedImport
	helpers      []helper
	redirected   map[uint32]uint32 // from function to the import that replaces it
	movesData    bool              // active data leaves the code

	meter meter
}

type addedImport struct {
	ImportName
	typ uint32
}

// helper is a function that is appended.
type helper struct {
	typ  uint32
	body []byte // with locals and end
}

// Rewrite writes the module anew. The receiver stays as it is, and the image
// shares its bytes with it.
func (m *Module) Rewrite(options Options) (*Rewritten, error) {
	w := &rewriter{m: m, options: options}
	if err := w.checkReserved(); err != nil {
		return nil, err
	}
	if options.Split {
		if err := w.split(); err != nil {
			return nil, err
		}
	}
	w.prepareMeter()
	w.prepareReplace()
	w.options.DropCustoms = w.options.DropCustoms || w.shift() > 0
	w.collectGlobals()
	w.prepareHelpers()
	w.module()
	w.result.Code = w.out
	return &w.result, nil
}

func (w *rewriter) checkReserved() error {
	for _, e := range w.m.exports {
		if strings.HasPrefix(e.Name, ReservedPrefix) {
			return fmt.Errorf("the module exports %q: names that begin with %q are reserved", e.Name, ReservedPrefix)
		}
	}
	for _, i := range w.m.imports {
		if strings.HasPrefix(i.Module, ReservedPrefix) {
			return fmt.Errorf("the module imports %q from %q: modules that begin with %q are reserved", i.Name, i.Module, ReservedPrefix)
		}
	}
	return nil
}

// shift is by how much the indices of defined functions move.
func (w *rewriter) shift() uint32 { return uint32(len(w.addedImports)) }

// function is the new index of a function.
func (w *rewriter) function(index uint32) uint32 {
	if index >= uint32(w.m.importedFuncs) {
		index += w.shift()
	}
	return index
}

// addType finds or appends a type.
func (w *rewriter) addType(t FuncType) uint32 {
	same := func(x FuncType) bool { return sameTypes(x.Params, t.Params) && sameTypes(x.Results, t.Results) }
	if i := slices.IndexFunc(w.m.types, same); i >= 0 {
		return uint32(i)
	}
	i := slices.IndexFunc(w.addedTypes, same)
	if i < 0 {
		i = len(w.addedTypes)
		w.addedTypes = append(w.addedTypes, t)
	}
	return uint32(len(w.m.types) + i)
}

// addImport appends a function import and returns its index.
func (w *rewriter) addImport(name ImportName, typ uint32) uint32 {
	w.addedImports = append(w.addedImports, addedImport{name, typ})
	return uint32(w.m.importedFuncs + len(w.addedImports) - 1)
}

// addHelper appends a function and returns its index. All imports must have been
// added before.
func (w *rewriter) addHelper(t FuncType, body encoder) uint32 {
	w.helpers = append(w.helpers, helper{w.addType(t), body.out})
	return w.shift() + uint32(len(w.m.funcs)+len(w.helpers)-1)
}

func (w *rewriter) prepareReplace() {
	if len(w.options.Replace) == 0 {
		return
	}
	w.redirected = map[uint32]uint32{}
	for _, f := range w.m.functionNames() {
		target, wanted := w.options.Replace[f.name]
		if !wanted || f.index < uint32(w.m.importedFuncs) || slices.Contains(w.result.Replaced, f.name) {
			continue
		}
		w.redirected[f.index] = w.addImport(target, w.m.funcs[f.index])
		w.result.Replaced = append(w.result.Replaced, f.name)
	}
	slices.Sort(w.result.Replaced)
}

// module writes all sections in order.
func (w *rewriter) module() {
	w.out = make([]byte, 0, len(w.m.data)+len(w.m.data)/2)
	w.raw(w.m.data[:headerSize])
	bodies := map[byte]span{}
	for _, s := range w.m.sections {
		if s.id != sectionCustom {
			bodies[s.id] = s.body
		}
	}
	if !w.options.DropCustoms {
		w.moduleWithCustoms(bodies)
		return
	}
	ids := slices.SortedFunc(maps.Keys(sectionWriters), byOrder)
	for _, id := range ids {
		w.write(id, bodies)
	}
	w.nameSection()
}

// moduleWithCustoms keeps custom sections in their places.
func (w *rewriter) moduleWithCustoms(bodies map[byte]span) {
	last := 0
	upTo := func(order int) {
		for _, id := range slices.SortedFunc(maps.Keys(sectionWriters), byOrder) {
			if o := sectionOrder[id]; o > last && o <= order {
				w.write(id, bodies)
				last = o
			}
		}
	}
	for _, s := range w.m.sections {
		if s.id == sectionCustom {
			w.raw(w.m.data[s.whole.start:s.whole.end])
			continue
		}
		upTo(sectionOrder[s.id])
	}
	upTo(sectionOrder[sectionData])
}

func byOrder(a, b byte) int { return cmp.Compare(sectionOrder[a], sectionOrder[b]) }

// write writes one section, if the new module has it.
func (w *rewriter) write(id byte, bodies map[byte]span) {
	old, there := bodies[id]
	body := sectionWriters[id](w, w.m.data[old.start:old.end])
	if there && len(body) > 0 || len(body) > 1 {
		w.section(id, body)
	}
}
