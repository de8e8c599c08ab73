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
	RoomExport  = ReservedPrefix + "room"  // global, i64: bytes of native stack left; below 0 Deepen is called
	StartExport = ReservedPrefix + "start" // function () -> (): the start function
	TickModule  = ReservedPrefix + "engine"
	TickName    = "tick"
	DeepenName  = "deepen"
)

// GlobalExport is the name under which a global, by its index, is exported.
func GlobalExport(index uint32) string { return fmt.Sprintf("%sglobal:%d", ReservedPrefix, index) }

// Options says what Rewrite changes. The zero value changes nothing.
type Options struct {
	// Meter counts units in FuelExport and calls TickModule.TickName, a function
	// (remaining i64) -> i64 that returns what remains from now on, whenever the
	// count falls below 0. See metering.go. It counts the native stack that calls
	// may still use in RoomExport, which begins with CallStack bytes, and calls
	// TickModule.DeepenName likewise. See depth.go.
	Meter bool
	// Replace makes a function, found by its name in the name section, call an
	// import of the same type instead. Imported functions and names that are
	// not found are left out of Rewritten.Replaced.
	Replace map[string]Replacement
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

// Replacement is the import that is called instead of a function.
type Replacement struct {
	Module, Name string
	// GoUint64 says that the function is func() uint64 of a Go guest: the import
	// is () -> i64, and its result is passed on as Go expects it.
	GoUint64 bool
}

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
	// Of Extend alone:
	addedGlobals  []ValType
	addedExports  []Export
	addedElements []uint32 // functions, behind the table's own entries

	redirected map[uint32]redirection
	movesData  bool // active data leaves the code

	meter   meter
	counted []bool // functions that take room
}

type addedImport struct {
	module, name string
	typ          uint32
}

// redirection is the import that replaces a function.
type redirection struct {
	index    uint32
	goUint64 bool
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
	w.prepareDepth()
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
func (w *rewriter) addImport(module, name string, typ uint32) uint32 {
	w.addedImports = append(w.addedImports, addedImport{module, name, typ})
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
	w.redirected = map[uint32]redirection{}
	for _, f := range w.m.functionNames() {
		target, wanted := w.options.Replace[f.name]
		if !wanted || f.index < uint32(w.m.importedFuncs) || slices.Contains(w.result.Replaced, f.name) {
			continue
		}
		if target.GoUint64 && !w.m.followsGo(f.index) {
			continue
		}
		typ := w.m.funcs[f.index]
		if target.GoUint64 {
			typ = w.addType(FuncType{Results: oneType(I64)})
		}
		w.redirected[f.index] = redirection{w.addImport(target.Module, target.Name, typ), target.GoUint64}
		w.result.Replaced = append(w.result.Replaced, f.name)
	}
	slices.Sort(w.result.Replaced)
}

// module writes all sections in order, custom ones in their places or, if they
// are dropped, the names at the end.
func (w *rewriter) module() {
	w.out = make([]byte, 0, len(w.m.data)+len(w.m.data)/2)
	w.raw(w.m.data[:headerSize])
	old := map[byte]section{}
	for _, s := range w.m.sections {
		old[s.id] = s
	}
	order := slices.SortedFunc(maps.Keys(sectionWriters), func(a, b byte) int { return cmp.Compare(sectionOrder[a], sectionOrder[b]) })
	upTo := func(last int) {
		for len(order) > 0 && sectionOrder[order[0]] <= last {
			w.write(order[0], old[order[0]])
			order = order[1:]
		}
	}
	for _, s := range w.m.sections {
		if s.id != sectionCustom {
			upTo(sectionOrder[s.id])
		} else if !w.options.DropCustoms {
			w.raw(w.m.data[s.whole.start:s.whole.end])
		}
	}
	upTo(len(sectionOrder))
	if w.options.DropCustoms {
		w.nameSection()
	}
}

// write writes one section, if the new module has it. One that stays is copied
// with its head: Go pads the size.
func (w *rewriter) write(id byte, s section) {
	old := w.m.data[s.body.start:s.body.end]
	body := sectionWriters[id](w, old)
	switch {
	case len(body) == 0:
	case len(old) == len(body) && &old[0] == &body[0]:
		w.raw(w.m.data[s.whole.start:s.whole.end])
	case len(old) > 0 || len(body) > 1:
		w.section(id, body)
	}
}
