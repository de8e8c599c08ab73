package wasm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// variants are the ways in which each module of the suite is rewritten. The
// first leaves it alone.
var variants = []struct {
	name    string
	rewrite bool
	options wasm.Options
}{
	{name: "plain"},
	{"metered", true, wasm.Options{Meter: true}},
	{"everything", true, wasm.Options{Meter: true, ExportGlobals: true, Split: true, FloatingMemory: true, ExportStart: true, TableLimit: 1 << 20, DropCustoms: true}},
}

// specRun runs one script in one variant and keeps a log of what happened.
type specRun struct {
	t       *testing.T
	ctx     context.Context
	s       script
	rewrite bool
	options wasm.Options
	engine  wazero.Runtime
	named   map[string]api.Module
	last    api.Module
	log     []string
}

// TestSpec runs the whole suite on wazero, as it is and rewritten in each way:
// everything that can be seen must be the same.
func TestSpec(t *testing.T) {
	spectest := mustRead(t, filepath.Join(specDir(t), "testdata", "spectest.wasm"))
	for _, s := range readScripts(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var plain []string
			for i, v := range variants {
				run := &specRun{t: t, ctx: t.Context(), s: s, rewrite: v.rewrite, options: v.options}
				log := run.script(spectest)
				if i == 0 {
					plain = log
				}
				compareLogs(t, v.name, log, plain)
			}
		})
	}
}

func compareLogs(t *testing.T, name string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d lines, want %d", name, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: got  %s\nwant %s", name, got[i], want[i])
		}
	}
}

func (r *specRun) script(spectest []byte) []string {
	r.engine = wazero.NewRuntimeWithConfig(r.ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features[r.s.version]))
	defer r.engine.Close(r.ctx)
	r.named = map[string]api.Module{}
	_, err := r.engine.NewHostModuleBuilder(wasm.TickModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) { stack[0] = 500 }), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(wasm.TickName).NewFunctionBuilder().
		WithFunc(func(int64) int64 { panic(errExhausted) }).Export(wasm.DeepenName).Instantiate(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.engine.InstantiateWithConfig(r.ctx, spectest, wazero.NewModuleConfig()); err != nil {
		r.t.Fatal(err)
	}
	// other modules look at what a registered one declares
	if slices.ContainsFunc(r.s.Commands, func(c command) bool { return c.Type == "register" }) {
		r.options.FloatingMemory, r.options.TableLimit = false, 0
	}
	for i, c := range r.s.Commands {
		register := ""
		if i+1 < len(r.s.Commands) && r.s.Commands[i+1].Type == "register" {
			register = r.s.Commands[i+1].As
		}
		r.command(c, register)
	}
	return r.log
}

func (r *specRun) command(c command, register string) {
	switch c.Type {
	case "module":
		m, err := r.instantiate(r.s.file(r.t, c), register)
		if err != nil {
			r.t.Fatalf("line %d: %v", c.Line, err)
		}
		r.last = m
		if c.Name != "" {
			r.named[c.Name] = m
		}
	case "assert_unlinkable", "assert_uninstantiable":
		if c.ModuleType != "text" {
			_, err := r.instantiate(r.s.file(r.t, c), "")
			// an element out of bounds is no error in wazero, see its spectest.go
			r.note(c, fmt.Sprint("instantiated: ", err == nil))
		}
	case "assert_return", "action", "assert_trap", "assert_exhaustion":
		r.act(c)
	}
}

func (r *specRun) note(c command, what string) {
	r.log = append(r.log, fmt.Sprintf("line %d %s %s: %s", c.Line, c.Type, c.Action.Field, what))
}

// features matter to version 1 where 2.0 changed what instantiation leaves behind
// when it traps.
var features = map[string]api.CoreFeatures{"v1": api.CoreFeaturesV1, "v2": api.CoreFeaturesV2}

var errWontRun = errors.New("refused by Rewrite")

func (r *specRun) instantiate(module []byte, name string) (api.Module, error) {
	config := wazero.NewModuleConfig().WithName(name).WithStartFunctions()
	if !r.rewrite {
		return r.engine.InstantiateWithConfig(r.ctx, module, config)
	}
	m, err := wasm.Parse(module, wasm.DefaultLimits())
	if err != nil {
		return nil, err
	}
	rewritten, err := m.Rewrite(r.options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWontRun, err)
	}
	mod, err := r.engine.InstantiateWithConfig(r.ctx, rewritten.Code, config)
	if err != nil {
		return nil, err
	}
	return mod, r.restore(mod, rewritten)
}

// restore does what a host does with an image, and runs the start function.
func (r *specRun) restore(mod api.Module, rewritten *wasm.Rewritten) error {
	image := &rewritten.Image
	if r.options.FloatingMemory && image.MemoryPages > 0 && mod.Memory().Size() == 0 {
		mod.Memory().Grow(image.MemoryPages)
	}
	if len(image.Segments) > 0 {
		memory, ok := mod.Memory().Read(0, image.MemoryPages<<16)
		if !ok && image.MemoryPages < 1<<16 {
			return fmt.Errorf("memory has %d bytes, want %d pages", mod.Memory().Size(), image.MemoryPages)
		}
		image.Apply(memory)
	}
	for _, g := range image.Globals {
		mod.ExportedGlobal(g.Name).(api.MutableGlobal).Set(g.Bits)
	}
	if start := mod.ExportedFunction(wasm.StartExport); start != nil {
		_, err := start.Call(r.ctx)
		return err
	}
	return nil
}

func (r *specRun) act(c command) {
	m := r.last
	if c.Action.Module != "" {
		m = r.named[c.Action.Module]
	}
	if c.Action.Type == "get" {
		g := m.ExportedGlobal(c.Action.Field)
		r.check(c, []uint64{g.Get()}, []api.ValueType{g.Type()}, nil)
		return
	}
	f := m.ExportedFunction(c.Action.Field)
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.bits(r.t)...)
	}
	if room, ok := m.ExportedGlobal(wasm.RoomExport).(api.MutableGlobal); ok {
		room.Set(wasm.CallStack)
	}
	results, err := f.Call(r.ctx, args...)
	r.check(c, results, f.Definition().ResultTypes(), err)
}

// check logs the results, and compares them with what the suite expects.
func (r *specRun) check(c command, results []uint64, types []api.ValueType, err error) {
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		if errors.Is(err, errExhausted) {
			line = "stack overflow" // as wazero says it
		}
		r.note(c, line)
		if c.Type == "assert_return" {
			r.t.Errorf("line %d: got %v, want results", c.Line, err)
		}
		return
	}
	if c.Type != "assert_return" && c.Type != "action" {
		r.t.Errorf("line %d: got results, want a trap: %s", c.Line, c.Text)
	}
	for i, t := range types {
		if t == api.ValueType(0x70) && results[i] != 0 {
			results[i] = 1 // a pointer into this one instance
		}
	}
	r.note(c, fmt.Sprintf("%x", results))
	for _, want := range c.Expected {
		n := len(want.lanes(r.t))
		if !want.matches(r.t, results) {
			r.t.Errorf("line %d %s: got %x, want %s %s", c.Line, c.Action.Field, results, want.Type, want.Value)
		}
		if want.Type == "v128" {
			n = 2
		}
		results = results[min(n, len(results)):]
	}
}

// lanes are the texts of a value: one, or those of a vector's lanes.
func (v value) lanes(t testing.TB) []string {
	t.Helper()
	if v.Value == nil {
		return []string{"null"}
	}
	if v.Type == "v128" {
		var list []string
		if err := json.Unmarshal(v.Value, &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var one string
	if err := json.Unmarshal(v.Value, &one); err != nil {
		t.Fatal(err)
	}
	return []string{one}
}

func (v value) width() int {
	typ := v.Type
	if typ == "v128" {
		typ = v.LaneType
	}
	if typ == "externref" || typ == "funcref" {
		return 64
	}
	n, _ := strconv.Atoi(typ[1:])
	return n
}

// laneBits is one lane's value; ok is false for a NaN, of which there are many.
func (v value) laneBits(t testing.TB, lane string) (bits uint64, ok bool) {
	t.Helper()
	switch {
	case strings.HasPrefix(lane, "nan"):
		return 0, false
	case lane == "null":
		return 0, true
	case strings.HasPrefix(lane, "-"):
		n, err := strconv.ParseInt(lane, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(n) & (math.MaxUint64 >> (64 - v.width())), true
	}
	n, err := strconv.ParseUint(lane, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if v.Type == "externref" {
		n++ // 0 is null in wazero
	}
	return n, true
}

// bits is an argument as wazero takes it.
func (v value) bits(t testing.TB) []uint64 {
	lanes, width := v.lanes(t), v.width()
	words := make([]uint64, max(1, len(lanes)*width/64))
	for i, lane := range lanes {
		n, _ := v.laneBits(t, lane)
		words[i*width/64] |= n << (i * width % 64)
	}
	return words
}

func (v value) matches(t testing.TB, got []uint64) bool {
	if v.Value == nil && (v.Type == "funcref" || v.Type == "externref") {
		return true // any reference
	}
	width := v.width()
	for i, lane := range v.lanes(t) {
		if i*width/64 >= len(got) {
			return false
		}
		n := got[i*width/64] >> (i * width % 64) & (math.MaxUint64 >> (64 - width))
		if want, ok := v.laneBits(t, lane); ok && n != want || !ok && !isNaN(n, width) {
			return false
		}
	}
	return true
}

func isNaN(bits uint64, width int) bool {
	if width == 32 {
		return math.IsNaN(float64(math.Float32frombits(uint32(bits))))
	}
	return math.IsNaN(math.Float64frombits(bits))
}
