package runtime_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// Every request finds memory, globals and data as they were at first, whatever
// the one before left.
func TestFirstEverState(t *testing.T) {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(1)
	m.Data(0, []byte("000"))
	global := m.Global('0')
	count := func(at int32) [][]byte { // adds 1 to the digit at an address
		return [][]byte{hosttest.I32Const(at), hosttest.I32Const(at), hosttest.I32Load8U(0),
			hosttest.I32Const(1), hosttest.I32Add, hosttest.I32Store8(0)}
	}
	start := m.Func("", nil, nil, nil, count(2)...)
	m.Start(start)
	body := append(count(0),
		hosttest.GlobalGet(global), hosttest.I32Const(1), hosttest.I32Add, hosttest.GlobalSet(global),
		hosttest.I32Const(1), hosttest.GlobalGet(global), hosttest.I32Store8(0),
		hosttest.I32Const(1), hosttest.MemoryGrow, hosttest.Drop,
		answer(f, 3))
	m.Func("fetch", nil, nil, nil, body...)
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		snapshot := mustPrepare(t, mustLoad(t, r, m.Bytes()), host.Limits{})
		for n := range 5 {
			got := ask(t, snapshot, "/", host.Limits{})
			if got.outcome != host.OutcomeOK || string(got.Body) != "111" {
				t.Errorf("request %d: %v %q, %v; want 111", n, got.outcome, got.Body, got.err)
			}
			if got.usage.PeakMemory != 2*64<<10 {
				t.Errorf("request %d: peak of %d bytes, want two pages", n, got.usage.PeakMemory)
			}
		}
	})
}

func TestOutcomes(t *testing.T) {
	endless := []byte{0x03, 0x40, 0x0c, 0, 0x0b}
	starting := func(ops ...[]byte) []byte {
		var m hosttest.Module
		m.Memory(1)
		m.Start(m.Func("", nil, nil, nil, ops...))
		m.Func("fetch", nil, nil, nil)
		return m.Bytes()
	}
	tests := []struct {
		name string
		wasm []byte
		want host.Outcome
		text string // of the error
	}{
		{"no answer", fetches(), host.OutcomeException, "without an answer"},
		{"trap", fetches(hosttest.Unreachable), host.OutcomeException, "wasm error: unreachable\nwasm stack trace:"},
		{"endless", fetches(endless), host.OutcomeExceededWallTime, "exceeded"},
		{"start traps", starting(hosttest.Unreachable), host.OutcomeException, "unreachable"},
		{"memory", fetches(hosttest.I32Const(1000), hosttest.MemoryGrow, hosttest.I32Const(-1), hosttest.I32Eq,
			hosttest.If, hosttest.Unreachable, hosttest.End), host.OutcomeExceededMemory, "unreachable"},
		{"recursion", recursive(), host.OutcomeException, "stack"}, // see TestCallDepth
	}
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				limits := host.Limits{Memory: 8 << 20}
				if tt.want == host.OutcomeExceededWallTime {
					limits.Wall = 100 * time.Millisecond
				}
				got := invoke(t, mustLoad(t, r, tt.wasm), limits)
				if got.outcome != tt.want || got.err == nil || !strings.Contains(got.err.Error(), tt.text) {
					t.Errorf("got %v, %v; want %v, %q", got.outcome, got.err, tt.want, tt.text)
				}
				if got.Answers != 0 {
					t.Errorf("it answered %d %q", got.Status, got.Body)
				}
			})
		}
	})
}

// A start function without end is stopped when the Snapshot is taken, or in the
// request where there is none.
func TestEndlessStart(t *testing.T) {
	var m hosttest.Module
	m.Memory(1)
	m.Start(m.Func("", nil, nil, nil, []byte{0x03, 0x40, 0x0c, 0, 0x0b}))
	m.Func("fetch", nil, nil, nil)
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		limits := host.Limits{Wall: 100 * time.Millisecond}
		s, err := prepare(t, mustLoad(t, r, m.Bytes()), limits)
		if err == nil {
			err = ask(t, s, "/", limits).err
		}
		if err == nil || !strings.Contains(err.Error(), "exceeded") {
			t.Errorf("got %v", err)
		}
	})
}

// recursive calls itself for ever.
func recursive() []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, hosttest.Call(0))
	return m.Bytes()
}

// The stack trace in the error has the names of functions, which are in the
// module's name section.
func TestStackTrace(t *testing.T) {
	var m hosttest.Module
	m.Memory(1)
	m.Func("", nil, nil, nil, hosttest.Unreachable)
	m.Func("fetch", nil, nil, nil, hosttest.Call(0))
	m.Names("shop", "main.brokenPart", "main.fetch")
	got := invoke(t, mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes()), host.Limits{})
	if want := "wasm stack trace:\n\t.main.brokenPart()\n\t.main.fetch()"; got.err == nil || !strings.Contains(got.err.Error(), want) {
		t.Errorf("got %v, want %q", got.err, want)
	}
}

// A native guest may end by proc_exit as well.
func TestExit(t *testing.T) {
	tests := []struct {
		code int32
		want host.Outcome
		text string
	}{
		{0, host.OutcomeOK, ""},
		{3, host.OutcomeException, "3"},
	}
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range tests {
		var m hosttest.Module
		f := respond(&m)
		exit := m.Import("wasi_snapshot_preview1", "proc_exit", []abi.Type{abi.I32}, nil)
		m.Memory(1)
		m.Data(0, []byte("x"))
		m.Func("fetch", nil, nil, nil, answer(f, 1), hosttest.I32Const(tt.code), hosttest.Call(exit), hosttest.Unreachable)
		s := mustPrepare(t, mustLoad(t, r, m.Bytes()), host.Limits{})
		for range 3 { // an instance that ended well is used again
			checkExit(t, ask(t, s, "/", host.Limits{}), tt.code, tt.want, tt.text)
		}
	}
}

func checkExit(t *testing.T, got result, code int32, want host.Outcome, text string) {
	t.Helper()
	if got.outcome != want || string(got.Body) != "x" {
		t.Errorf("exit %d: %v %q, want %v", code, got.outcome, got.Body, want)
	}
	if text != "" && (got.err == nil || !strings.Contains(got.err.Error(), text)) {
		t.Errorf("exit %d: %v, want %q", code, got.err, text)
	}
}

// A module whose memory begins beyond the limit never runs.
func TestMinimumMemory(t *testing.T) {
	var m hosttest.Module
	m.Memory(32)
	m.Func("fetch", nil, nil, nil)
	module := mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes())
	if module.MinMemory != 2<<20 {
		t.Errorf("minimum of %d bytes, want 2 MiB", module.MinMemory)
	}
	got := invoke(t, module, host.Limits{Memory: 1 << 20})
	if host.CodeOf(got.err) != host.CodeTooLarge || got.outcome == host.OutcomeOK {
		t.Errorf("got %v, %v; want that it is too large", got.outcome, got.err)
	}
	// This one's memory is its own, so that only the allocator sees it.
	hidden := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x20\x07\x0a\x01\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b")
	got = invoke(t, mustLoad(t, mustRuntime(t, runtime.Config{}), hidden), host.Limits{Memory: 1 << 20})
	if got.outcome == host.OutcomeOK || got.err == nil || got.Answers != 0 {
		t.Errorf("hidden memory: got %v, %v", got.outcome, got.err)
	}
}
