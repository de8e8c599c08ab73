package wasmtest

import "strings"

// Family is modules that cost a compiler the more, beyond what their size lets
// expect, the larger n is.
type Family struct {
	Name string
	Most int // n for the largest
	Make func(n int) string
}

// Families are all kinds of modules that were found to be costly, and some that
// are only large.
func Families() []Family {
	return []Family{
		{"blocks", 600_000, repeated(0, "\x02\x40\x0b")},
		{"branches to one block", 400_000, within(0, "\x41\x00\x0d\x00")},
		{"branches over a block", 299_000, repeated(1, "\x02\x40\x20\x00\x0d\x00\x0b")},
		{"ifs", 400_000, repeated(0, "\x41\x00\x04\x40\x0b")},
		{"ifs with else", 300_000, repeated(1, "\x20\x00\x04\x40\x05\x0b")},
		{"loops", 600_000, repeated(0, "\x03\x40\x0b")},
		{"loops that loop", 250_000, repeated(1, "\x03\x40\x20\x00\x0d\x00\x0b")},
		{"loops with 1,000 locals", 200_000, repeated(1000, "\x03\x40\x20\x00\x0d\x00\x0b")},
		{"ifs with 100 live locals", 200_000, repeated(100, "\x20\x00\x04\x40\x0b")},
		{"ifs with 1,000 live locals", 200_000, repeated(1000, "\x20\x00\x04\x40\x0b")},
		{"ifs with 9,000 live locals", 200_000, repeated(9000, "\x20\x00\x04\x40\x0b")},
		{"branches with 1,000 live locals", 200_000, within(1000, "\x20\x00\x0d\x00")},
		{"loops with 100 live locals", 200_000, repeated(100, "\x03\x40\x20\x00\x0d\x00\x0b")},
		{"nested blocks", 16_383, nests(0, "\x02\x40")},
		{"nested ifs", 16_383, nests(0, "\x41\x00\x04\x40")},
		{"nested loops, 9,000 locals", 9_000, repeated(9000, strings.Repeat("\x03\x40", 30)+strings.Repeat("\x41\x00\x0d\x00\x0b", 30))},
		{"nested loops, 10 locals", 4_900, repeated(10, strings.Repeat("\x03\x40", 60)+strings.Repeat("\x41\x00\x0d\x00\x0b", 60))},
		{"br_table", 65_535, func(n int) string {
			return function(0, "\x02\x40\x41\x00\x0e"+LEB(n)+strings.Repeat("\x00", n+1)+"\x0b")
		}},
		{"br_tables of 1,000", 1900, repeated(0, "\x02\x40\x41\x00\x0e"+LEB(1000)+strings.Repeat("\x00", 1001)+"\x0b")},
		{"br_table to many blocks", 15_000, ladder},
		{"blocks with 32 values", 200_000, values(32)},
		{"blocks with 64 values", 200_000, values(64)},
		{"memory.fill", 200_000, repeated(1, "\x20\x00\x20\x00\x20\x00\xfc\x0b\x00")},
		{"memory.grow", 200_000, repeated(1, "\x20\x00\x40\x00\x1a")},
		{"table.fill", 200_000, repeated(1, "\x20\x00\xd0\x70\x20\x00\xfc\x11\x00")},
		{"additions", 250_000, repeated(1, "\x20\x00\x20\x00\x6a\x21\x00")},
		{"divisions", 250_000, repeated(1, "\x20\x00\x20\x00\x6d\x21\x00")},
		{"loads", 250_000, repeated(1, "\x20\x00\x28\x02\x00\x21\x00")},
		{"calls", 900_000, repeated(0, "\x10\x00")},
		{"calls through a table", 400_000, repeated(0, "\x41\x00\x11\x00\x00")},
		{"operands", 9_990, func(n int) string {
			return function(1, strings.Repeat("\x20\x00", n)+strings.Repeat("\x6a", n-1)+"\x1a")
		}},
		{"functions", 200_000, func(n int) string { return functions(n, 0, "") }},
		{"functions with 9,000 locals", 111, func(n int) string { return functions(n, 9000, "") }},
		{"functions that call", 200_000, func(n int) string { return functions(n, 0, strings.Repeat("\x10\x00", 20)) }},
		{"60 MB of additions", 30, func(n int) string { return functions(n, 1, strings.Repeat("\x20\x00\x20\x00\x6a\x21\x00", 280_000)) }},
	}
}

// Largest is the largest member of a family that is accepted, or 0.
func (f Family) Largest(accepts func(module string) bool) int {
	low, high := 0, f.Most+1 // accepted, refused
	for high-low > 1+low/64 {
		if n := (low + high) / 2; accepts(f.Make(n)) {
			low = n
		} else {
			high = n
		}
	}
	return low
}

// function is a module with a table, a memory, and one function that has as many
// locals: their values come from the memory and are stored there at its end, so
// that all are live in between.
func function(locals int, code string) string { return functions(1, locals, code) }

func functions(n, locals int, code string) string {
	var b strings.Builder
	b.WriteString("\x01" + LEB(locals) + "\x7f")
	for i := range locals {
		b.WriteString("\x41\x00\x28\x02\x00\x21" + LEB(i))
	}
	b.WriteString(code)
	for i := range locals {
		b.WriteString("\x41\x00\x20" + LEB(i) + "\x36\x02\x00")
	}
	b.WriteString("\x0b")
	one := LEB(b.Len()) + b.String()
	return Header + Section(1, Vec("\x60\x00\x00")) + Section(3, LEB(n), strings.Repeat("\x00", n)) +
		Section(4, Vec("\x70\x00\x02")) + Section(5, Vec("\x00\x01")) +
		Section(7, Vec(Text("fetch")+"\x00\x00")) + Section(10, LEB(n), strings.Repeat(one, n))
}

func repeated(locals int, code string) func(n int) string {
	return func(n int) string { return function(locals, strings.Repeat(code, n)) }
}

func within(locals int, code string) func(n int) string {
	return func(n int) string { return function(locals, "\x02\x40"+strings.Repeat(code, n)+"\x0b") }
}

func nests(locals int, open string) func(n int) string {
	return func(n int) string { return function(locals, strings.Repeat(open, n)+strings.Repeat("\x0b", n)) }
}

// ladder is a br_table that goes to the end of each of the blocks around it.
func ladder(n int) string {
	var targets strings.Builder
	for i := range n {
		targets.WriteString(LEB(i))
	}
	return function(1, strings.Repeat("\x02\x40", n)+"\x20\x00\x0e"+LEB(n-1)+targets.String()+strings.Repeat("\x0b", n))
}

// values are blocks that take and give as many values.
func values(arity int) func(n int) string {
	typ := "\x60" + LEB(arity) + strings.Repeat("\x7f", arity) + LEB(arity) + strings.Repeat("\x7f", arity)
	return func(n int) string {
		code := "\x00" + strings.Repeat("\x41\x00", arity) + strings.Repeat("\x02\x00\x0b", n) + strings.Repeat("\x1a", arity) + "\x0b"
		return Header + Section(1, Vec(typ, "\x60\x00\x00")) + Section(3, Vec("\x01")) + Section(5, Vec("\x00\x01")) +
			Section(7, Vec(Text("fetch")+"\x00\x00")) + Section(10, Vec(LEB(len(code))+code))
	}
}
