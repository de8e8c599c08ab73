package wasm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero/api"
)

var meterOnly = wasm.Options{Meter: true}

// meteredRun calls run and returns the units that were used. Fuel is granted in
// quanta of the given size.
func meteredRun(t testing.TB, module []byte, quantum int64, args ...uint64) (units int64, ticks int, err error) {
	t.Helper()
	h := newHost(t)
	granted := int64(0)
	h.tick = func(remaining int64) int64 {
		if remaining >= 0 {
			t.Errorf("tick with %d units left", remaining)
		}
		more := max(quantum, -remaining)
		granted += more
		ticks++
		return remaining + more
	}
	m := h.start(mustRewrite(t, mustParse(t, module), meterOnly).Code)
	_, err = m.ExportedFunction("run").Call(context.Background(), args...)
	return granted - int64(m.ExportedGlobal(wasm.FuelExport).Get()), ticks, err
}

// Programs that spend their time in one way each.
var programs = []struct {
	name   string
	module []byte
	args   []uint64
	units  int64
}{
	{"nothing", program(nothing, noLocals, ""), nil, 0},
	{"leaf", program(i32ToI32, noLocals, "\x20\x00\x41\x01\x6a"), []uint64{1}, 0},
	{"fib 10", fib, []uint64{10}, 10620},
	{"sum of 1000", sum, []uint64{1000}, 14000},
	{"sum of 100000", sum, []uint64{100_000}, 1400000},
	{"fill of 64 KiB", program(nothing, noLocals, "\x41\x00\x41\x07\x41\x80\x80\x04\xfc\x0b\x00"), nil, 8211},
	{"fills in a loop", program(i32ToI32, noLocals, "\x03\x40\x41\x00\x41\x07\x41\x80\x80\x04\xfc\x0b\x00\x20\x00\x41\x01\x6b\x22\x00\x0d\x00\x0b\x20\x00"), []uint64{10}, 82170},
	{"calls in a loop", twoFunctions("\x03\x40\x20\x00\x10\x01\x22\x00\x0d\x00\x0b\x20\x00", "\x20\x00\x41\x01\x6b\x24\x00\x23\x00"), []uint64{10}, 280},
	{"growing", program(i32ToI32, noLocals, "\x20\x00\x40\x00"), []uint64{3}, 869},
	{"growing too far", program(i32ToI32, noLocals, "\x20\x00\x40\x00"), []uint64{70_000}, 101},
	{"words", words, []uint64{4000}, 14000},
	{"branches", branches, []uint64{1000}, 20000},
	{"dot", dot, []uint64{8000}, 18000},
	{"inner", inner, []uint64{1000}, 122000},
	{"many", many, []uint64{1000}, 38000},
	{"while", while, []uint64{1000}, 16016},
	{"loop with a parameter", program(i32ToI32, "\x01\x02\x7f", "\x20\x00\x03\x00\x41\x01\x6b\x22\x01\x20\x02\x20\x01\x6a\x21\x02\x20\x01\x0d\x00\x0b\x20\x02\x6a"), []uint64{1000}, 10000},
	{"on with an outer loop", program(i32ToI32, "\x01\x02\x7f", "\x03\x40\x03\x40\x20\x02\x20\x01\x6a\x21\x02\x20\x01\x41\x01\x6a\x22\x01\x20\x00\x49\x20\x01\x41\x01\x71\x71\x0d\x01\x20\x01\x20\x00\x49\x0d\x00\x0b\x0b\x20\x02"), []uint64{1000}, 20501},
	{"early return from a loop", program(i32ToI32, noLocals, "\x03\x40\x20\x00\x41\x05\x46\x04\x40\x41\x2a\x0f\x0b\x20\x00\x41\x01\x6b\x21\x00\x0c\x00\x0b\x00"), []uint64{9}, 60},
}

// twoFunctions: run(i32) -> i32 and another of the same type, and a global.
func twoFunctions(run, other string) []byte {
	run, other = noLocals+run+"\x0b", noLocals+other+"\x0b"
	return []byte(header + section(1, vec(i32ToI32)) + section(3, vec("\x00", "\x00")) +
		section(6, vec("\x7f\x01\x41\x63\x0b")) +
		section(7, vec(text("run")+"\x00\x00")) + section(10, vec(leb(len(run))+run, leb(len(other))+other)))
}

// TestUnits pins what programs use: it must be the same on every machine, and
// whatever the quanta are.
func TestUnits(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			for _, quantum := range []int64{1, 1000, 1 << 40} {
				units, ticks, err := meteredRun(t, p.module, quantum, p.args...)
				if err != nil {
					t.Fatal(err)
				}
				if units != p.units {
					t.Errorf("quantum %d: got %d units, want %d", quantum, units, p.units)
				}
				if p.units > 1024 && ticks == 0 {
					t.Error("tick was never called")
				}
			}
		})
	}
}

// TestResults: metering changes nothing else, also where there is never any fuel
// left.
func TestResults(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			h := newHost(t)
			h.tick = func(int64) int64 { return 1 }
			parsed := mustParse(t, p.module)
			metered := mustRewrite(t, parsed, meterOnly).Code
			var got [2][]uint64
			for i, code := range [][]byte{p.module, metered} {
				m := h.start(code)
				if parsed.Facts().HasMemory {
					scribble(m.Memory())
				}
				var err error
				if got[i], err = m.ExportedFunction("run").Call(context.Background(), p.args...); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got[0], got[1]) {
				t.Errorf("got %x, want %x", got[1], got[0])
			}
		})
	}
}

func scribble(memory api.Memory) {
	data, _ := memory.Read(0, memory.Size())
	for i := range data {
		data[i] = byte(i * i)
	}
}

var errStop = errors.New("out of budget")

// endless are programs that never end, or would take hours.
var endless = []struct {
	name   string
	module []byte
}{
	{"loop", program(nothing, noLocals, "\x03\x40\x0c\x00\x0b")},
	{"loop with a parameter", program("\x60\x01\x7f\x01\x7f", noLocals, "\x20\x00\x03\x00\x0c\x00\x0b")},
	{"br_table loop", program(nothing, noLocals, "\x03\x40\x02\x40\x41\x00\x0e\x01\x01\x00\x0b\x0c\x00\x0b")},
	{"dispatch back and forth", program(nothing, "\x01\x01\x7f", "\x03\x40\x02\x40\x02\x40\x20\x00\x0e\x01\x00\x01\x0b\x41\x01\x21\x00\x0c\x01\x0b\x41\x00\x21\x00\x0c\x00\x0b")},
	{"dispatch to itself", program(nothing, "\x01\x01\x7f", "\x03\x40\x02\x40\x20\x00\x0e\x01\x00\x01\x0b\x41\x01\x21\x00\x0c\x00\x0b")},
	{"branch out and in again", program(nothing, noLocals, "\x03\x40\x03\x40\x0c\x01\x0b\x0b")},
	{"doubling", doubling(40)},
	{"fills", program(nothing, noLocals, "\x03\x40\x41\x00\x41\x07\x41\x80\x80\x10\xfc\x0b\x00\x0c\x00\x0b")},
	{"copies", program(nothing, noLocals, "\x03\x40\x41\x00\x41\x00\x41\x80\x80\x10\xfc\x0a\x00\x00\x0c\x00\x0b")},
	{"growing", program(nothing, noLocals, "\x03\x40\x41\x00\x40\x00\x1a\x0c\x00\x0b")},
}

// doubling is a tree of calls without a loop: f0 calls f1 twice, f1 f2, ...
func doubling(n int) []byte {
	var types, bodies []string
	for i := range n {
		body := noLocals + "\x10" + leb(i+1) + "\x10" + leb(i+1) + "\x0b"
		if i == n-1 {
			body = noLocals + "\x0b"
		}
		types, bodies = append(types, "\x00"), append(bodies, leb(len(body))+body)
	}
	return []byte(header + section(1, vec(nothing)) + section(3, vec(types...)) +
		section(7, vec(text("run")+"\x00\x00")) + section(10, vec(bodies...)))
}

// TestEndless: the host gets control at each quantum, and can stop every program.
func TestEndless(t *testing.T) {
	for _, p := range endless {
		t.Run(p.name, func(t *testing.T) {
			h := newHost(t)
			ticks := 0
			h.tick = func(remaining int64) int64 {
				if ticks++; ticks == 100 {
					panic(errStop)
				}
				return 1000
			}
			m := h.start(mustRewrite(t, mustParse(t, p.module), meterOnly).Code)
			run := m.ExportedFunction("run")
			_, err := run.Call(context.Background(), make([]uint64, len(run.Definition().ParamTypes()))...)
			if !errors.Is(err, errStop) {
				t.Errorf("got %v, want %v", err, errStop)
			}
		})
	}
}

// TestRecursionOwesNothing: what functions on the stack hold ahead was paid.
func TestRecursionOwesNothing(t *testing.T) {
	// run(n): loop 50 times; then run(n-1) unless n is 0
	module := program(i32ToI32, "\x01\x01\x7f",
		"\x41\x32\x21\x01\x03\x40\x20\x01\x41\x01\x6b\x22\x01\x0d\x00\x0b\x20\x00\x04\x40\x20\x00\x41\x01\x6b\x10\x00\x1a\x0b\x20\x00")
	h := newHost(t)
	worst, granted := int64(0), int64(0)
	h.tick = func(remaining int64) int64 {
		granted += 100 - remaining
		worst = max(worst, granted)
		return 100
	}
	m := h.start(mustRewrite(t, mustParse(t, module), meterOnly).Code)
	const depth = 1000
	h.call(m, "run", depth)
	used := granted - int64(m.ExportedGlobal(wasm.FuelExport).Get())
	if limit := used + (depth+1)*1024 + 100; worst < used || worst > limit {
		t.Errorf("got %d units granted at most, want between %d and %d", worst, used, limit)
	}
	if used < depth*50*5 {
		t.Errorf("only %d units used", used)
	}
}

func TestFuelIsHidden(t *testing.T) {
	module := []byte(header + section(5, vec("\x00\x01")) + section(7, vec(text("mayfly:fuel")+"\x02\x00")))
	if _, err := mustParse(t, module).Rewrite(meterOnly); err == nil || !strings.Contains(err.Error(), "reserved") {
		t.Errorf("got %v, want a refusal of the export", err)
	}
	module = []byte(header + section(1, vec("\x60\x01\x7e\x01\x7e")) + section(2, vec(text("mayfly:engine")+text("tick")+"\x00\x00")))
	if _, err := mustParse(t, module).Rewrite(meterOnly); err == nil || !strings.Contains(err.Error(), "reserved") {
		t.Errorf("got %v, want a refusal of the import", err)
	}
	// a module can't name the global that is appended
	module = []byte(oneFunction(nothing, noLocals, "\x42\x00\x24\x00"))
	if _, err := wasm.Parse(module, wasm.DefaultLimits()); err == nil {
		t.Error("a global that does not exist was set")
	}
}

func TestGoGuestMetered(t *testing.T) {
	module := mustGoGuest(t)
	h := newHost(t)
	const grant = 1 << 20
	granted := int64(0)
	h.tick = func(remaining int64) int64 { granted += grant; return remaining + grant }
	plain := h.start(module)
	rewritten := mustRewrite(t, mustParse(t, module), wasm.Options{Meter: true, TableLimit: 100_000, DropCustoms: true})
	metered := h.start(rewritten.Code)
	used := func() int64 { return granted - int64(metered.ExportedGlobal(wasm.FuelExport).Get()) }
	for range 3 {
		before := used()
		want := h.call(plain, "work")
		if got := h.call(metered, "work"); got != want {
			t.Errorf("got %#x, want %#x", got, want)
		}
		if units := used() - before; units < 50_000 || units > 50_000_000 {
			t.Errorf("got %d units", units)
		}
	}
	if api.DecodeI32(h.call(plain, "work")) == 0 {
		t.Error("work did nothing")
	}
}
