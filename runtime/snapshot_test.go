package runtime_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/memory"
)

// TestGoGuest compiles the Go guest in testdata/state once: that takes longer than
// all the rest.
func TestGoGuest(t *testing.T) {
	wasm, err := hosttest.BuildGo("testdata/state", "-buildmode=c-shared", "-ldflags=")
	if err != nil {
		t.Fatal(err)
	}
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, wasm)
	t.Run("starts afresh", func(t *testing.T) { testStartsAfresh(t, m) })
	t.Run("random numbers differ", func(t *testing.T) { testRandomDiffers(t, r, m) })
	t.Run("initialisation is sealed", func(t *testing.T) { testInitialisationIsSealed(t, m) })
	t.Run("strong reads ask the cluster", func(t *testing.T) { testStrongReads(t, m) })
}

// cutOff is a store that reads its own copy, and can't reach its cluster.
type cutOff struct{ kv.Store }

func (cutOff) GetStrong(context.Context, string) (kv.Entry, error) {
	return kv.Entry{}, kv.ErrUnavailable
}

func (cutOff) Sync(context.Context) error { return kv.ErrUnavailable }

// The strong reads of a Go guest ask the cluster, and its other reads don't.
func testStrongReads(t *testing.T, m *runtime.Module) {
	s := mustPrepare(t, m, host.Limits{})
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	got := result{Recorder: new(hosttest.Recorder)}
	c := begin(t, got.Recorder, "/kv", host.Limits{})
	c.Bindings.KV = map[string]kv.Store{"STORE": cutOff{memkv.New(memkv.Config{})}}
	got.invoke(s, c)
	if want := "false false\nfalse false\ntrue true\ntrue true\n"; string(got.Body) != want {
		t.Errorf("got %q, %v; want %q", got.Body, got.err, want)
	}
}

// A Go guest that scribbles over its variables, exits, panics or grows leaves
// nothing of it to the next request.
func testStartsAfresh(t *testing.T, m *runtime.Module) {
	s := mustPrepare(t, m, host.Limits{})
	for n, between := range []string{"", "/state", "/exit", "/panic", "/grow", "/state"} {
		if between != "" {
			ask(t, s, between, host.Limits{})
		}
		got := ask(t, s, "/state", host.Limits{})
		if want := "requests=1 seen=1 dirty=0 sink=0\n"; string(got.Body) != want {
			t.Errorf("request %d, after %q: got %q, %v; want %q", n, between, got.Body, got.err, want)
		}
	}
}

// Whatever a Go guest draws in a request differs from what it draws in others, also
// after its Snapshot came back from disk.
func testRandomDiffers(t *testing.T, r *runtime.Runtime, m *runtime.Module) {
	taken := mustPrepare(t, m, host.Limits{})
	restored, err := r.Restore(t.Context(), mustEncode(t, taken), m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	seen := map[string]bool{}
	for range 3 {
		for _, s := range []*runtime.Snapshot{taken, restored} {
			got := ask(t, s, "/random", host.Limits{})
			lines := strings.Split(strings.TrimSpace(string(got.Body)), "\n")
			if len(lines) != 5 {
				t.Fatalf("got %q, %v", got.Body, got.err)
			}
			for _, line := range lines {
				if seen[line] {
					t.Errorf("two requests drew %s", line)
				}
				seen[line] = true
			}
		}
	}
}

// What the host does for a guest counts as its own work, and ends at its limits.
func TestHostWorkCounts(t *testing.T) {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("random")
	random := m.Import("mayfly", f.Name, f.Params, f.Results)
	m.Memory(1)
	const size = 64 << 10
	m.Func("fetch", nil, nil, nil, hosttest.Loop,
		hosttest.I32Const(0), hosttest.I32Const(size), hosttest.Call(random), hosttest.Drop, hosttest.Br(0), hosttest.End)
	got := invoke(t, mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes()), host.Limits{CPU: 20_000_000})
	if got.outcome != host.OutcomeExceededCPU || got.usage.Units < host.RandomWeight*size {
		t.Errorf("%v, %v, %d units", got.outcome, got.err, got.usage.Units)
	}
	// A machine that makes random numbers a hundred times faster than the weight
	// says would get so far. Without weights the guest goes on for 3,000 calls.
	if most := int64(100 * 20_000_000 * 3); got.usage.Units > most {
		t.Errorf("%d units, want at most %d", got.usage.Units, most)
	}
}

// During initialisation and warm-up nothing secret can be seen, and nothing that
// others hold can be reached.
func testInitialisationIsSealed(t *testing.T, m *runtime.Module) {
	s, err := prepare(t, m, host.Limits{}, hosttest.Request("GET", "http://test.localhost/state", ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "/state", host.Limits{}); string(got.Body) != "requests=2 seen=2 dirty=16711680 sink=0\n" {
		t.Errorf("after a warm-up request: %q, %v", got.Body, got.err)
	}
	if _, err := prepare(t, m, host.Limits{}, hosttest.Request("GET", "http://test.localhost/panic", "")); err == nil || !strings.Contains(err.Error(), "the warm-up request GET http://test.localhost/panic failed") {
		t.Errorf("a warm-up request that panics: %v", err)
	}
}

// The same input costs the same units, on every instance and every machine.
func TestUnitsAreDeterministic(t *testing.T) {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(1)
	const i, loop, want = 0, 1000, 8029
	m.Func("fetch", nil, nil, []byte{0x7f},
		hosttest.Loop,
		hosttest.LocalGet(i), hosttest.I32Const(1), hosttest.I32Add, hosttest.LocalTee(i),
		hosttest.I32Const(loop), hosttest.I32LtS, hosttest.BrIf(0), hosttest.End,
		answer(f, 0))
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes()), host.Limits{})
	for range 3 {
		if got := ask(t, s, "/", host.Limits{}).usage.Units; got != want {
			t.Errorf("%d units, want %d", got, want)
		}
	}
}

// CPU time is limited, whatever the guest spends it on.
func TestCPULimit(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for name, wasm := range map[string][]byte{
		"loop": fetches(hosttest.Loop, hosttest.Br(0), hosttest.End),
		"calls": func() []byte {
			var m hosttest.Module
			m.Memory(1)
			// f(n): f(n-1); f(n-1), a tree of calls without a loop
			m.Func("", []byte{0x7f}, nil, nil, hosttest.LocalGet(0), hosttest.If,
				hosttest.LocalGet(0), hosttest.I32Const(1), hosttest.I32Sub, hosttest.Call(0),
				hosttest.LocalGet(0), hosttest.I32Const(1), hosttest.I32Sub, hosttest.Call(0), hosttest.End)
			m.Func("fetch", nil, nil, nil, hosttest.I32Const(60), hosttest.Call(0))
			return m.Bytes()
		}(),
	} {
		got := invoke(t, mustLoad(t, r, wasm), host.Limits{CPU: 20_000_000})
		if got.outcome != host.OutcomeExceededCPU || got.usage.Units == 0 {
			t.Errorf("%s: %v, %v, %d units", name, got.outcome, got.err, got.usage.Units)
		}
	}
}

// Many requests at once, each with an Instance of its own.
func TestManyAtOnce(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	var all sync.WaitGroup
	for n := range 4 {
		s := mustPrepare(t, mustLoad(t, r, hello(fmt.Sprint("text ", n))), host.Limits{})
		for range 4 {
			all.Go(func() {
				for range 200 {
					if got := ask(t, s, "/", host.Limits{}); string(got.Body) != fmt.Sprint("text ", n) {
						t.Errorf("got %q, %v", got.Body, got.err)
					}
				}
			})
		}
	}
	all.Wait()
}

// Guests without end take turns, and leave short requests their place: those are
// all answered while the others run, and the others all end at their limits.
func TestLongGuestsTakeTurns(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	long := mustPrepare(t, mustLoad(t, r, fetches(hosttest.Loop, hosttest.Br(0), hosttest.End)), host.Limits{})
	short := mustPrepare(t, mustLoad(t, r, hello("hello")), host.Limits{})
	var ended sync.WaitGroup
	for range 8 {
		ended.Go(func() {
			if got := ask(t, long, "/", host.Limits{CPU: 50_000_000}); got.outcome != host.OutcomeExceededCPU {
				t.Errorf("got %v, %v", got.outcome, got.err)
			}
		})
	}
	for range 500 {
		if got := ask(t, short, "/", host.Limits{}); string(got.Body) != "hello" {
			t.Errorf("got %q, %v", got.Body, got.err)
		}
	}
	ended.Wait()
}

// An account with many endless guests does not get more than one with one: that
// one is through with its CPU time when none of the others is.
func TestAccountsTakeTurns(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, fetches(hosttest.Loop, hosttest.Br(0), hosttest.End)), host.Limits{})
	var running sync.WaitGroup
	ended, all := make(chan string, 16), make(chan struct{})
	run := func(account string) {
		running.Go(func() {
			<-all
			c := begin(t, new(hosttest.Recorder), "/", host.Limits{CPU: 60_000_000})
			c.Bindings = &host.Bindings{Account: account}
			s.Use()
			_, spent, _ := s.Invoke(c)
			spent.Recycle()
			ended <- account
		})
	}
	for range 8 {
		run("many")
	}
	run("one")
	close(all)
	running.Wait()
	if first := <-ended; first != "one" {
		t.Errorf("a guest of account %s ended first", first)
	}
}

// An Instance that grew is put back as well, and one that nobody needed goes.
func TestIdleInstances(t *testing.T) {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(3)
	m.Data(0, []byte("a"))
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(5), hosttest.MemoryGrow, hosttest.Drop,
		hosttest.I32Const(7<<16), hosttest.I32Const('x'), hosttest.I32Store8(0), // in what was added
		hosttest.I32Const(0), hosttest.I32Const(7<<16), hosttest.I32Load8U(1), hosttest.I32Const('0'), hosttest.I32Add, hosttest.I32Store8(0),
		answer(f, 1))
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes()), host.Limits{})
	for range 3 {
		got := ask(t, s, "/", host.Limits{})
		if string(got.Body) != "0" || got.usage.PeakMemory != 8<<16 {
			t.Errorf("got %q with %d bytes, %v", got.Body, got.usage.PeakMemory, got.err)
		}
		if s.Idle() != 1 {
			t.Fatalf("%d instances are idle, want 1", s.Idle())
		}
	}
	var busy []*runtime.Instance
	for range 8 {
		s.Use()
		c := begin(t, nil, "/", host.Limits{})
		i, err := s.Acquire(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Pause() // as if it waited for something
		busy = append(busy, i)
	}
	for _, i := range busy {
		i.Recycle()
	}
	s.Trim() // all were in use since the last time
	if s.Idle() != len(busy) {
		t.Errorf("%d of %d instances are left, although all were needed", s.Idle(), len(busy))
	}
	ask(t, s, "/", host.Limits{})
	if s.Trim(); s.Idle() > 2 {
		t.Errorf("%d instances are left, although one is enough", s.Idle())
	}
}

// A WASI command runs from its beginning in each request, and can't be warmed up.
func TestCommandIsNotWarmedUp(t *testing.T) {
	var m hosttest.Module
	m.Memory(1)
	m.Func("_start", nil, nil, nil)
	module := mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes())
	_, err := prepare(t, module, host.Limits{}, hosttest.Request("GET", "http://test.localhost/", ""))
	if host.CodeOf(err) != host.CodeInvalid || !strings.Contains(err.Error(), "can't be warmed up") {
		t.Errorf("got %v", err)
	}
}

// Where the node has no memory left, an Instance in which nothing has run waits on
// for the next request.
func TestNoRoomKeepsInstance(t *testing.T) {
	var m hosttest.Module
	respond := respond(&m)
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0),
		hosttest.Call(respond), hosttest.Drop)
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), m.Bytes()), host.Limits{})
	s.Budget = memory.NewBudget(100_000, nil)
	if got := ask(t, s, "/", host.Limits{}); got.outcome != host.OutcomeOK || s.Idle() != 1 {
		t.Fatalf("got %v, %v, and %d instances wait", got.outcome, got.err, s.Idle())
	}
	s.Budget.Take(90_000)
	if got := ask(t, s, "/", host.Limits{}); got.outcome != host.OutcomeLoadShed || s.Idle() != 1 {
		t.Errorf("without memory: got %v, and %d instances wait, want the one", got.outcome, s.Idle())
	}
	s.Budget.Give(90_000)
	if got := ask(t, s, "/", host.Limits{}); got.outcome != host.OutcomeOK || s.Budget.Used() != 0 {
		t.Errorf("with memory: got %v, %v, and %d bytes in use", got.outcome, got.err, s.Budget.Used())
	}
}
