package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/mayfly-run/mayfly/runtime/wasm/wasmtest"
	"github.com/tetratelabs/wazero/api"
)

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
		module := wasmtest.Program(choices[:min(len(choices), 400)])
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
