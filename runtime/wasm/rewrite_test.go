package wasm_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero/api"
)

func TestRewriteNothing(t *testing.T) {
	for _, module := range [][]byte{[]byte(everySection()), mustGoGuest(t)} {
		if got := mustRewrite(t, mustParse(t, module), wasm.Options{}).Code; !bytes.Equal(got, module) {
			t.Errorf("got %d bytes, want the same %d", len(got), len(module))
		}
	}
}

// withData is a module with a function, a memory, two data segments, an f64 and
// an i32 global; passive adds a memory.init of a third, passive segment.
func withData(first, second string, global int, passive bool) []byte {
	code, count, data := "", "", []string{"\x00\x41\x08\x0b" + text(first), "\x00\x41\x0a\x0b" + text(second)}
	if passive {
		code = "\x41\x80\x01\x41\x00\x41\x02\xfc\x08\x02\x00"
		data = append(data, "\x01"+text("PQ"))
		count = section(12, leb(len(data)))
	}
	body := noLocals + code + "\x23\x01\x0b"
	return []byte(header + section(1, vec("\x60\x00\x01\x7f")) + section(3, vec("\x00")) + section(5, vec("\x00\x01")) +
		section(6, vec("\x7c\x01\x44\x00\x00\x00\x00\x00\x00\xf8\x3f\x0b", "\x7f\x01\x41"+leb(global)+"\x0b", "\x7f\x00\x41\x2a\x0b")) +
		section(7, vec(text("run")+"\x00\x00", text("memory")+"\x02\x00")) + count +
		section(10, vec(leb(len(body))+body)) + section(11, vec(data...)))
}

func TestSplitShares(t *testing.T) {
	for _, passive := range []bool{false, true} {
		a := mustRewrite(t, mustParse(t, withData("hello", "there", 3, passive)), everything)
		b := mustRewrite(t, mustParse(t, withData("other", "longer than that", 60, passive)), everything)
		if !bytes.Equal(a.Code, b.Code) {
			t.Errorf("passive %v: the code differs", passive)
		}
		wantGlobals := []wasm.GlobalValue{
			{Index: 0, Name: "mayfly:global:0", Type: wasm.F64, Bits: 0x3ff8000000000000},
			{Index: 1, Name: "mayfly:global:1", Type: wasm.I32, Bits: 60},
		}
		if !slices.Equal(b.Image.Globals, wantGlobals) || !slices.Equal(b.Globals, wantGlobals) {
			t.Errorf("got globals %v and %v, want %v", b.Image.Globals, b.Globals, wantGlobals)
		}
		memory := make([]byte, 64)
		b.Image.Apply(memory)
		if got, want := string(memory[8:26]), "otlonger than that"; got != want || b.Image.MemoryPages != 1 {
			t.Errorf("got %q and %d pages, want %q", got, b.Image.MemoryPages, want)
		}
		runSplit(t, b, passive)
	}
}

func runSplit(t *testing.T, r *wasm.Rewritten, passive bool) {
	t.Helper()
	h := newHost(t)
	h.tick = func(int64) int64 { return 1 << 20 }
	m := h.start(r.Code)
	if got, _ := m.Memory().Read(0, 64); !bytes.Equal(got, make([]byte, 64)) {
		t.Errorf("the code brought data: %q", got)
	}
	for _, g := range r.Globals {
		m.ExportedGlobal(g.Name).(api.MutableGlobal).Set(g.Bits)
	}
	if got := h.call(m, "run"); got != 60 {
		t.Errorf("got %d, want the global's 60", got)
	}
	if got, _ := m.Memory().Read(128, 2); passive && string(got) != "PQ" {
		t.Errorf("got %q from the passive segment", got)
	}
}

func TestSplitRefusesDataOutside(t *testing.T) {
	module := []byte(header + section(5, vec("\x00\x01")) + section(11, vec("\x00\x41\xfe\xff\x03\x0b"+text("abc"))))
	_, err := mustParse(t, module).Rewrite(wasm.Options{Split: true})
	if err == nil || !strings.Contains(err.Error(), "outside of the memory") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestStartBecomesExport(t *testing.T) {
	m := mustParse(t, mustRewrite(t, mustParse(t, []byte(everySection())), everything).Code)
	if m.Facts().HasStart {
		t.Error("the start section is there")
	}
	i := slices.IndexFunc(m.Exports(), func(e wasm.Export) bool { return e.Name == wasm.StartExport })
	if i < 0 || m.Exports()[i].Index != 0 {
		t.Errorf("got export %d of %v, want the imported function 0", i, m.Exports())
	}
}

func TestTableLimit(t *testing.T) {
	tests := []struct {
		table string
		max   uint32
	}{
		{"\x70\x00\x05", 100}, {"\x70\x01\x05\x0a", 10}, {"\x70\x01\x05" + leb(1000), 100}, {"\x6f\x00" + leb(500), 500},
	}
	for _, tt := range tests {
		m := mustParse(t, []byte(header+section(4, vec(tt.table))))
		got := mustParse(t, mustRewrite(t, m, wasm.Options{TableLimit: 100}).Code).Facts().Tables[0]
		if !got.HasMax || got.Max != tt.max {
			t.Errorf("%x: got %+v, want a maximum of %d", tt.table, got, tt.max)
		}
	}
}

// TestReplace: a named function becomes a call of an import.
func TestReplace(t *testing.T) {
	run, other := noLocals+"\x20\x00\x10\x01\x0b", noLocals+"\x20\x00\x0b"
	module := header + section(1, vec(i32ToI32)) + section(3, vec("\x00", "\x00")) +
		section(7, vec(text("run")+"\x00\x00")) + section(10, vec(leb(len(run))+run, leb(len(other))+other)) +
		section(0, text("name"), section(1, vec("\x00"+text("main.run"), "\x01"+text("main.other"))))
	h := newHost(t)
	_, err := h.engine.NewHostModuleBuilder("env").NewFunctionBuilder().
		WithFunc(func(x uint32) uint32 { return x + 100 }).Export("other").Instantiate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	options := wasm.Options{Replace: map[string]wasm.Replacement{"main.other": {Module: "env", Name: "other"}, "main.none": {Module: "env", Name: "none"}}}
	for _, meter := range []bool{false, true} {
		options.Meter = meter
		h.tick = func(int64) int64 { return 1000 }
		r := mustRewrite(t, mustParse(t, []byte(module)), options)
		if got := h.call(h.start(r.Code), "run", 7); got != 107 || !slices.Equal(r.Replaced, []string{"main.other"}) {
			t.Errorf("meter %v: got %d and %v replaced, want 107", meter, got, r.Replaced)
		}
	}
}

// TestReplaceGoRandom: the generator of Go's runtime, found by its name.
func TestReplaceGoRandom(t *testing.T) {
	h := newHost(t)
	next := uint64(0)
	_, err := h.engine.NewHostModuleBuilder("env").NewFunctionBuilder().
		WithFunc(func() uint64 { next += 1000; return next }).Export("rand").Instantiate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.tick = func(int64) int64 { return 1 << 20 }
	module := mustParse(t, mustGoGuest(t))
	for _, meter := range []bool{false, true} {
		r := mustRewrite(t, module, wasm.Options{Meter: meter, Replace: map[string]wasm.Replacement{"runtime.rand": {Module: "env", Name: "rand", GoUint64: true}}})
		if !slices.Equal(r.Replaced, []string{"runtime.rand"}) {
			t.Fatalf("got %v replaced", r.Replaced)
		}
		m := h.start(r.Code)
		for range 3 {
			if got := h.call(m, "random"); got != next || got == 0 {
				t.Errorf("meter %v: got %d, want %d", meter, got, next)
			}
		}
	}
}

func TestFacts(t *testing.T) {
	table := section(4, vec("\x70\x00\x01"))
	tests := []struct {
		name, globals, code string
		set                 func(*wasm.Facts)
	}{
		{"nothing", "", "", func(*wasm.Facts) {}},
		{"table.set", "", "\x41\x00\xd0\x70\x26\x00", func(f *wasm.Facts) { f.MutatesTables = true }},
		{"table.get", "", "\x41\x00\x25\x00\x1a", func(*wasm.Facts) {}},
		{"table.fill", "", "\x41\x00\xd0\x70\x41\x00\xfc\x11\x00", func(f *wasm.Facts) { f.MutatesTables = true }},
		{"memory.grow", "", "\x41\x00\x40\x00\x1a", func(f *wasm.Facts) { f.GrowsMemory = true }},
		{"reference global", "\x70\x01\xd0\x70\x0b", "\xd0\x70\x24\x00", func(f *wasm.Facts) { f.SetsReferenceGlobals = true }},
		{"vector global", "\x7b\x01\xfd\x0c" + strings.Repeat("\x00", 16) + "\x0b", "\x23\x00\x24\x00", func(f *wasm.Facts) { f.SetsV128Globals = true }},
		{"number global", "\x7f\x01\x41\x00\x0b", "\x23\x00\x24\x00", func(*wasm.Facts) {}},
		{"ref.func", "", "\xd2\x00\x1a", func(f *wasm.Facts) { f.TakesFuncRefs = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := noLocals + tt.code + "\x0b"
			globals := ""
			if tt.globals != "" {
				globals = section(6, vec(tt.globals))
			}
			module := header + section(1, vec(nothing)) + section(3, vec("\x00")) + table + section(5, vec("\x00\x01")) + globals +
				section(7, vec(text("run")+"\x00\x00")) + section(10, vec(leb(len(body))+body))
			got := mustParse(t, []byte(module)).Facts()
			want := wasm.Facts{}
			tt.set(&want)
			flags := wasm.Facts{MutatesTables: got.MutatesTables, DropsData: got.DropsData, UsesMemoryInit: got.UsesMemoryInit,
				SetsReferenceGlobals: got.SetsReferenceGlobals, SetsV128Globals: got.SetsV128Globals, GrowsMemory: got.GrowsMemory,
				TakesFuncRefs: got.TakesFuncRefs, HasStart: got.HasStart}
			if !equalFlags(flags, want) {
				t.Errorf("got %+v, want %+v", flags, want)
			}
			if got.Functions != 1 || !got.HasMemory || got.Memory.Min != 1 || len(got.Tables) != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func equalFlags(a, b wasm.Facts) bool {
	return a.MutatesTables == b.MutatesTables && a.DropsData == b.DropsData && a.UsesMemoryInit == b.UsesMemoryInit &&
		a.SetsReferenceGlobals == b.SetsReferenceGlobals && a.SetsV128Globals == b.SetsV128Globals &&
		a.GrowsMemory == b.GrowsMemory && a.TakesFuncRefs == b.TakesFuncRefs && a.HasStart == b.HasStart
}
