package wasmtest

import "strings"

// Guest is a module of the native ABI that answers with what it finds and leaves
// in its state. It may trap, exit, or be refused memory.
type Guest struct {
	Wasm []byte
	// Globals are the names of its globals, all mutable, which it exports. A
	// reference, whose bits mean nothing, is not among them.
	Globals []string
	// Initializes: it has code that runs before its entry point.
	Initializes bool
	// CallsHost: it may ask the host for more than the time.
	CallsHost bool
}

// guestShape is what the generator knows of the guest that it makes.
type guestShape struct {
	Guest
	pages int
	spoil int // what is spoilt: one of the following, everything, or nothing
}

const (
	spoilTables = iota
	spoilSegments
	spoilElements
	spoilVector
	spoilReference
	takeReferences
	spoilEverything
	spoilNothing
)

// The index spaces of a guest.
const (
	requestURL = iota // imports
	requestMethod
	random
	logText
	clock
	respond
	procExit
	importedFunctions
)

const (
	globalI32 = iota
	globalI64
	globalF32
	globalF64
	globalV128
	globalRef
	globalSteps
)

const (
	typeFunction = iota // (i32) -> i32
	typeProcedure
	typeBuffer // (i32, i32) -> i32
	typeLog
	typeRespond
	typeClock
	typePay // (i32) -> ()
)

const (
	slack    = 3 // entries of table 0 behind the functions: null at first
	second   = 2 // entries of table 1
	segments = 4 // of elements, and of data
	passive  = 2 // the first passive one of data
	steps    = 2000
)

// NewGuest makes a guest.
func NewGuest(choices []byte) Guest {
	g := &generator{choices: choices, imported: importedFunctions, guest: &guestShape{}}
	g.guest.Globals = []string{"i32", "i64", "f32", "f64", "v128", "steps"}
	g.guest.pages = []int{1, 1, 2, 2, 3, 3, 0, 18}[g.choose(8)]
	g.guest.spoil, g.guest.CallsHost = spoilNothing, g.oneIn(2)
	if g.oneIn(2) {
		g.guest.spoil = g.choose(spoilNothing)
	}
	start, initialize := g.oneIn(4), g.oneIn(4)
	g.guest.Initializes = start || initialize
	g.functions = 1 + g.choose(4)
	var types, bodies []string
	for n := range g.functions {
		types, bodies = append(types, LEB(typeFunction)), append(bodies, g.functionBody(n))
	}
	types = append(types, LEB(typePay), LEB(typeProcedure), LEB(typeProcedure), LEB(typeProcedure))
	bodies = append(bodies, payBody, g.procedureBody(start), g.procedureBody(initialize), body(0, g.fetch()))
	g.guest.Wasm = []byte(g.module(types, bodies, start, initialize))
	return g.guest.Guest
}

// module puts the sections together. Behind the functions stand pay, start,
// initialize and fetch.
func (g *generator) module(types, bodies []string, start, initialize bool) string {
	special := g.imported + g.functions
	startSection := ""
	if start {
		startSection = Section(8, LEB(special+1))
	}
	return Header + Section(1, guestTypes) + Section(2, guestImports) + Section(3, Vec(types...)) +
		Section(4, g.tables()) + Section(5, g.memory()) + Section(6, guestGlobals) +
		Section(7, g.exports(special, initialize)) + startSection + Section(9, g.elements()) +
		Section(12, LEB(segments)) + Section(10, Vec(bodies...)) + Section(11, g.data())
}

var guestTypes = Vec("\x60\x01\x7f\x01\x7f", "\x60\x00\x00", "\x60\x02\x7f\x7f\x01\x7f", "\x60\x03\x7f\x7f\x7f\x01\x7f",
	"\x60\x05\x7f\x7f\x7f\x7f\x7f\x01\x7f", "\x60\x00\x01\x7e", "\x60\x01\x7f\x00")

var guestImports = Vec(
	mayfly("request_url", typeBuffer), mayfly("request_method", typeBuffer), mayfly("random", typeBuffer),
	mayfly("log", typeLog), mayfly("clock", typeClock), mayfly("respond", typeRespond),
	Text("wasi_snapshot_preview1")+Text("proc_exit")+"\x00"+LEB(typePay))

func mayfly(name string, typ int) string { return Text("mayfly") + Text(name) + "\x00" + LEB(typ) }

var guestGlobals = Vec("\x7f\x01\x41\x05\x0b", "\x7e\x01\x42\x09\x0b", "\x7d\x01\x43abcd\x0b", "\x7c\x01\x44abcdefgh\x0b",
	"\x7b\x01\xfd\x0c0123456789abcdef\x0b", "\x70\x01\xd0\x70\x0b", "\x7f\x01\x41"+SignedLEB(steps)+"\x0b")

// tables have room to grow, some of them without end.
func (g *generator) tables() string {
	size := g.functions + slack
	first := "\x70\x00" + LEB(size)
	if g.oneIn(2) {
		first = "\x70\x01" + LEB(size) + LEB(size+g.choose(8))
	}
	return Vec(first, "\x70\x00"+LEB(second))
}

func (g *generator) memory() string {
	if g.oneIn(2) {
		return Vec("\x01" + LEB(g.guest.pages) + LEB(g.guest.pages+g.choose(4)))
	}
	return Vec("\x00" + LEB(g.guest.pages))
}

func (g *generator) exports(special int, initialize bool) string {
	list := []string{Text("memory") + "\x02\x00", Text("fetch") + "\x00" + LEB(special+3)}
	if initialize {
		list = append(list, Text("_initialize")+"\x00"+LEB(special+2))
	}
	for n, name := range g.guest.Globals {
		if n >= globalRef {
			n++
		}
		list = append(list, Text(name)+"\x03"+LEB(n))
	}
	return Vec(list...)
}

// elements are one active segment, two passive ones and one that only declares.
func (g *generator) elements() string {
	var indices, refs []string
	for n := range g.functions {
		indices, refs = append(indices, LEB(g.imported+n)), append(refs, "\xd2"+LEB(g.imported+n)+"\x0b")
	}
	refs = append(refs, "\xd0\x70\x0b", "\xd2"+LEB(requestURL)+"\x0b")
	return Vec("\x00\x41\x00\x0b"+Vec(indices...), "\x01\x00"+Vec(indices...), "\x05\x70"+Vec(refs...), "\x03\x00"+Vec(indices...))
}

// data is two active segments, at the beginning and at the end of memory, and two
// passive ones.
func (g *generator) data() string {
	beginning, end := "\x00\x41\x10\x0b"+Text("some data"), "\x00\x41"+SignedLEB(g.guest.pages<<16-3)+"\x0b"+Text("end")
	if g.guest.pages == 0 {
		beginning, end = "\x00\x41\x00\x0b"+Text(""), "\x00\x41\x00\x0b"+Text("")
	}
	return Vec(beginning, end, "\x01"+Text("passive data"), "\x01"+Text(strings.Repeat("x", 300)))
}
