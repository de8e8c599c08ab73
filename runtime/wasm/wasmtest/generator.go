package wasmtest

import "strings"

// generator makes valid functions (i32) -> i32 that end out of a string of
// choices. They call later ones only, and their loops count down a local of
// their own. Local 0 is the parameter, 1 to 3 are scratch, the others count.
type generator struct {
	choices   []byte
	imported  int // functions before the first one
	functions int
	function  int
	loops     int // counters in use by the function
	depth     int
	procedure bool        // the function has no result
	guest     *guestShape // nil makes programs
}

const (
	scratch  = 3
	counters = 6
	nop      = "\x01"
)

// Program is a module without imports that exports "run" (i32) -> i32, a "memory"
// and the i32 global "g". It has data, and a table with all functions. It never
// traps, and ends, though perhaps not soon.
func Program(choices []byte) []byte {
	g := &generator{choices: choices}
	g.functions = 1 + g.choose(4)
	var types, bodies, indices []string
	for n := range g.functions {
		types, bodies, indices = append(types, "\x00"), append(bodies, g.functionBody(n)), append(indices, LEB(n))
	}
	return []byte(Header + Section(1, Vec("\x60\x01\x7f\x01\x7f")) + Section(3, Vec(types...)) +
		Section(4, Vec("\x70\x00"+LEB(g.functions))) + Section(5, Vec("\x01\x01\x03")) +
		Section(6, Vec("\x7f\x01\x41\x05\x0b", "\x7e\x01\x42\x09\x0b")) +
		Section(7, Vec(Text("run")+"\x00\x00", Text("memory")+"\x02\x00", Text("g")+"\x03\x00")) +
		Section(9, Vec("\x00\x41\x00\x0b"+Vec(indices...))) +
		Section(10, Vec(bodies...)) + Section(11, Vec("\x00\x41\x10\x0b"+Text("some data"))))
}

// choose is a number below n; 0 when there are no choices left.
func (g *generator) choose(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := int(g.choices[0]) % n
	g.choices = g.choices[1:]
	return c
}

// oneIn is true once in n times, and false when there are no choices left.
func (g *generator) oneIn(n int) bool { return g.choose(n) == n-1 }

// functionBody is the code entry of function n.
func (g *generator) functionBody(n int) string {
	g.begin(n)
	return body(1, g.statements()+g.value())
}

// begin begins a function that may call those after n.
func (g *generator) begin(n int) { g.function, g.loops, g.depth = n, 0, 0 }

// body is a code entry with all locals, of which some are parameters.
func body(params int, code string) string {
	code = "\x01" + LEB(1+scratch+counters-params) + "\x7f" + code + "\x0b"
	return LEB(len(code)) + code
}

func (g *generator) local() string { return LEB(g.choose(1 + scratch)) }

func (g *generator) statements() string {
	var b strings.Builder
	b.WriteString(g.pay(1))
	for range 1 + g.choose(4) {
		b.WriteString(g.statement())
	}
	return b.String()
}

func (g *generator) statement() string {
	if g.depth > 4 || len(g.choices) == 0 {
		return nop
	}
	g.depth++
	defer func() { g.depth-- }()
	if g.guest != nil && g.choose(2) == 0 {
		return g.change()
	}
	switch g.choose(12) {
	case 0:
		return g.value() + "\x21" + g.local()
	case 1:
		return g.value() + "\x41\xff\x07\x71" + g.value() + "\x36\x02\x00" // i32.store at & 1023
	case 2:
		return g.value() + "\x24\x00"
	case 3:
		return g.loop()
	case 4:
		return g.value() + "\x04\x40" + g.statements() + "\x05" + g.statements() + "\x0b"
	case 5:
		return g.value() + "\x04\x40" + g.statements() + "\x0b"
	case 6:
		return "\x02\x40" + g.statements() + g.value() + "\x0d\x00" + g.statements() + "\x0b"
	case 7: // leaves through one of three blocks
		return "\x02\x40\x02\x40\x02\x40" + g.value() + "\x0e\x02\x00\x01\x02\x0b" + g.statements() + "\x0b" + g.statements() + "\x0b"
	case 8:
		return g.value() + "\x04\x40" + g.leave() + "\x0b" // maybe return
	case 9: // memory.fill of up to 255 bytes
		return "\x41\x80\x04" + g.value() + g.value() + "\x41\xff\x01\x71\xfc\x0b\x00"
	case 10: // memory.grow by 0 or 1
		return g.value() + "\x41\x01\x71\x40\x00\x21" + g.local()
	}
	return g.dispatch()
}
