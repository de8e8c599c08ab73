package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero/api"
)

// generator makes valid programs that end out of a string of choices: functions
// (i32) -> i32 that call later ones only, and loops that count down a local of
// their own. Local 0 is the parameter, 1 to 3 are scratch, the others count.
type generator struct {
	choices   []byte
	functions int
	function  int
	loops     int // counters in use by the function
	depth     int
}

const (
	scratch  = 3
	counters = 6
)

func (g *generator) choose(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := int(g.choices[0]) % n
	g.choices = g.choices[1:]
	return c
}

// module has a global, a memory with data and a table with all functions.
func (g *generator) module() []byte {
	g.functions = 1 + g.choose(4)
	var types, bodies, indices []string
	for g.function = range g.functions {
		g.loops, g.depth = 0, 0
		body := "\x01" + leb(scratch+counters) + "\x7f" + g.statements() + g.value() + "\x0b"
		types, bodies, indices = append(types, "\x00"), append(bodies, leb(len(body))+body), append(indices, leb(g.function))
	}
	return []byte(header + section(1, vec(i32ToI32)) + section(3, vec(types...)) +
		section(4, vec("\x70\x00"+leb(g.functions))) + section(5, vec("\x01\x01\x03")) +
		section(6, vec("\x7f\x01\x41\x05\x0b", "\x7e\x01\x42\x09\x0b")) +
		section(7, vec(text("run")+"\x00\x00", text("memory")+"\x02\x00", text("g")+"\x03\x00")) +
		section(9, vec("\x00\x41\x00\x0b"+vec(indices...))) +
		section(10, vec(bodies...)) + section(11, vec("\x00\x41\x10\x0b"+text("some data"))))
}

func (g *generator) statements() string {
	var b strings.Builder
	for range 1 + g.choose(4) {
		b.WriteString(g.statement())
	}
	return b.String()
}

func (g *generator) local() string { return leb(g.choose(1 + scratch)) }

func (g *generator) statement() string {
	if g.depth > 4 || len(g.choices) == 0 {
		return "\x01"
	}
	g.depth++
	defer func() { g.depth-- }()
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
		return g.value() + "\x04\x40" + g.value() + "\x0f\x0b" // maybe return
	case 9: // memory.fill of up to 255 bytes
		return "\x41\x80\x04" + g.value() + g.value() + "\x41\xff\x01\x71\xfc\x0b\x00"
	case 10: // memory.grow by 0 or 1
		return g.value() + "\x41\x01\x71\x40\x00\x21" + g.local()
	}
	return g.dispatch()
}

// loop counts down from up to 15.
func (g *generator) loop() string {
	if g.loops == counters {
		return "\x01"
	}
	counter := leb(1 + scratch + g.loops)
	g.loops++
	defer func() { g.loops-- }()
	typ := "\x40"
	if g.choose(4) == 0 {
		typ = "\x7f"
	}
	body := "\x41" + leb(1+g.choose(15)) + "\x21" + counter + "\x03" + typ + g.statements()
	again := "\x20" + counter + "\x41\x01\x6b\x22" + counter + "\x0d\x00"
	if typ == "\x7f" {
		return body + again + g.value() + "\x0b\x1a"
	}
	return body + again + "\x0b"
}

// dispatch is a loop as Go makes them: three parts that jump to each other, at
// most a few times.
func (g *generator) dispatch() string {
	if g.loops+2 > counters {
		return "\x01"
	}
	left, at := leb(1+scratch+g.loops), leb(2+scratch+g.loops)
	g.loops += 2
	defer func() { g.loops -= 2 }()
	// jump: only while some are left
	jump := func(loop int) string {
		return "\x20" + left + "\x41\x01\x6b\x22" + left + "\x41\x00\x4a\x04\x40" + "\x41" + leb(g.choose(4)) + "\x21" + at + "\x0c" + leb(loop+1) + "\x0b"
	}
	straight := "\x41" + leb(1+g.choose(3)) + "\x21" + at + "\x0c\x01"
	return "\x41" + leb(1+g.choose(9)) + "\x21" + left + "\x41" + leb(g.choose(3)) + "\x21" + at + "\x02\x40\x03\x40\x02\x40\x02\x40\x02\x40" +
		"\x20" + at + "\x0e\x03\x00\x01\x02\x04\x0b" +
		g.statements() + jump(2) + "\x0b" +
		g.statements() + jump(1) + "\x20" + left + "\x41\x01\x6b\x22" + left + "\x41\x00\x4a\x04\x40\x41\x02\x21" + at + "\x0c\x02\x0b\x0b" +
		g.statements() + "\x20" + left + "\x41\x01\x6b\x22" + left + "\x41\x00\x4c\x0d\x01" + straight[:len(straight)-1] + "\x00" + "\x0b\x0b"
}

func (g *generator) value() string {
	if g.depth > 6 || len(g.choices) == 0 {
		return "\x20\x00"
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.choose(8) {
	case 0:
		return "\x41" + leb(g.choose(64))
	case 1, 2:
		return "\x20" + g.local()
	case 3:
		return "\x23\x00"
	case 4:
		return g.value() + g.value() + string([]byte{"\x6a\x6b\x6c\x71\x73\x46\x48"[g.choose(7)]})
	case 5:
		return g.value() + "\x41\xff\x07\x71\x28\x02\x00"
	case 6:
		if g.function+1 < g.functions {
			return g.value() + "\x10" + leb(g.function+1+g.choose(g.functions-g.function-1))
		}
	case 7:
		if g.function+1 < g.functions {
			return g.value() + "\x41" + leb(g.function+1+g.choose(g.functions-g.function-1)) + "\x11\x00\x00"
		}
	}
	return "\x3f\x00" // memory.size
}

// outcome is all that a program leaves behind.
type outcome struct {
	results [3]uint64
	global  uint64
	memory  []byte
}

// FuzzRewrite: a random program does the same when it is metered and split, its
// units do not depend on the quantum, and our validator accepts what we write.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte("a few choices that make a program"))
	f.Add([]byte{3, 2, 3, 1, 9, 4, 11, 7, 7, 7, 200, 100, 50, 11, 11, 3, 3, 8, 6, 5, 4, 3, 2, 1, 77, 11, 5, 9, 13, 17})
	f.Add(bytes.Repeat([]byte{11, 3, 7, 5}, 40))
	f.Add(bytes.Repeat([]byte{3, 1, 11, 2, 6, 4}, 40))
	f.Fuzz(func(t *testing.T, choices []byte) {
		g := &generator{choices: choices[:min(len(choices), 400)]}
		module := g.module()
		h := newHost(t)
		options := everything
		options.FloatingMemory = true
		r := mustRewrite(t, mustParse(t, module), options)
		mustParse(t, r.Code)
		want, units, ok := h.runRewritten(r, 1<<20)
		if !ok {
			t.Skip("the program takes too long")
		}
		if plain, _ := h.observe(h.start(module)); !plain.equal(want) {
			t.Errorf("got %x and global %d, want %x and %d\n%x", want.results, want.global, plain.results, plain.global, module)
		}
		got, again, _ := h.runRewritten(r, 200)
		if !got.equal(want) || again != units {
			t.Errorf("with small quanta: got %x and %d units, want %x and %d\n%x", got.results, again, want.results, units, module)
		}
	})
}

func (o outcome) equal(p outcome) bool {
	return o.results == p.results && o.global == p.global && bytes.Equal(o.memory, p.memory)
}

// budget is what a random program may use.
const budget = 5_000_000

// runRewritten does what a host does with a split module; ok is false if the
// program was stopped.
func (h *host) runRewritten(r *wasm.Rewritten, quantum int64) (o outcome, units int64, ok bool) {
	granted := int64(0)
	h.tick = func(remaining int64) int64 {
		more := max(quantum, -remaining)
		if granted += more; granted > budget {
			panic(errStop)
		}
		return remaining + more
	}
	m := h.start(r.Code)
	defer m.Close(context.Background())
	m.Memory().Grow(r.Image.MemoryPages)
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	r.Image.Apply(memory)
	for _, g := range r.Image.Globals {
		m.ExportedGlobal(g.Name).(api.MutableGlobal).Set(g.Bits)
	}
	o, ok = h.observe(m)
	return o, granted - int64(m.ExportedGlobal(wasm.FuelExport).Get()), ok
}

// observe runs a program a few times; ok is false if it was stopped.
func (h *host) observe(m api.Module) (o outcome, ok bool) {
	h.t.Helper()
	for i := range o.results {
		results, err := m.ExportedFunction("run").Call(context.Background(), uint64(i))
		if errors.Is(err, errStop) {
			return o, false
		}
		if err != nil {
			h.t.Fatal(err)
		}
		o.results[i] = uint64(api.DecodeU32(results[0]))
	}
	o.global = m.ExportedGlobal("g").Get()
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	o.memory = bytes.Clone(memory)
	return o, true
}
