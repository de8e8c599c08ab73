package runtime_test

import (
	"errors"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// recursions are guests whose calls never end, one for each way to call.
func recursions() map[string][]byte {
	return map[string][]byte{
		"itself":     recursive(),
		"each other": each(3),
		"table":      throughTable(),
		"locals":     manyLocals(1000),
		"host":       withHost(),
	}
}

// each is n functions that call the next, and the last one the first.
func each(n uint32) []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, hosttest.Call(1), hosttest.Call(1))
	for i := range n - 1 {
		m.Func("", nil, nil, nil, hosttest.Call((i+2)%n), hosttest.Call((i+2)%n))
	}
	return m.Bytes()
}

// throughTable calls itself by way of a table.
func throughTable() []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Elements(m.Table(1), 0)
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(0), m.CallIndirect(0, nil, nil))
	return m.Bytes()
}

// manyLocals needs n values after it has called itself.
func manyLocals(n uint32) []byte {
	var m hosttest.Module
	m.Memory(1)
	var body [][]byte
	for i := range n {
		body = append(body, hosttest.LocalGet(0), hosttest.I32Load(4*i), hosttest.LocalSet(i+1))
	}
	body = append(body, hosttest.LocalGet(0), hosttest.Call(0), hosttest.LocalSet(0))
	for i := range n {
		body = append(body, hosttest.LocalGet(0), hosttest.LocalGet(i+1), hosttest.I32Xor, hosttest.LocalSet(0))
	}
	m.Func("", i32, i32, slices.Repeat(i32, int(n)), append(body, hosttest.LocalGet(0))...)
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(0), hosttest.Call(0), hosttest.Drop)
	return m.Bytes()
}

// withHost calls the host before it calls itself.
func withHost() []byte {
	var m hosttest.Module
	clock := m.Import("mayfly", "clock", nil, []abi.Type{abi.I64})
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, hosttest.Call(clock), hosttest.Drop, hosttest.Call(clock+1))
	return m.Bytes()
}

// A guest whose calls never end is stopped before its stack takes more than about
// twice the limit: the engine doubles the stack, and what it had before is garbage.
func TestCallDepth(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for name, module := range recursions() {
		t.Run(name, func(t *testing.T) {
			s := mustPrepare(t, mustLoad(t, r, module), host.Limits{})
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			got := ask(t, s, "/", host.Limits{})
			goruntime.ReadMemStats(&after)
			if got.outcome != host.OutcomeException || !errors.Is(got.err, runtime.ErrCallDepth) {
				t.Errorf("got %v, %v; want %v", got.outcome, got.err, runtime.ErrCallDepth)
			}
			allocated := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d MiB allocated", allocated>>20)
			if allocated > 3*wasm.CallStack {
				t.Errorf("%d bytes were allocated, want at most three times %d", allocated, wasm.CallStack)
			}
		})
	}
}

// Many of them at the same time take what many times the limit is, and leave
// nothing behind.
func TestManyCallDepths(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	var snapshots []*runtime.Snapshot
	for _, module := range recursions() {
		snapshots = append(snapshots, mustPrepare(t, mustLoad(t, r, module), host.Limits{}))
	}
	const guests = 200
	base := heap()
	peak := watchHeap(t)
	var asking sync.WaitGroup
	for n := range guests {
		asking.Go(func() {
			if got := ask(t, snapshots[n%len(snapshots)], "/", host.Limits{}); !errors.Is(got.err, runtime.ErrCallDepth) {
				t.Errorf("guest %d: got %v, %v", n, got.outcome, got.err)
			}
		})
	}
	asking.Wait()
	most := peak()
	t.Logf("%d MiB at the peak", most>>20)
	if most > base+guests*wasm.CallStack {
		t.Errorf("%d bytes at the peak", most)
	}
	if left := heap(); left > base+8<<20 {
		t.Errorf("%d bytes of heap are left, %d before", left, base)
	}
}

// heap is what is in use after a collection.
func heap() uint64 {
	goruntime.GC()
	goruntime.GC()
	var stats goruntime.MemStats
	goruntime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// watchHeap returns a function that tells the most that the heap took.
func watchHeap(t *testing.T) func() uint64 {
	var most uint64
	var over atomic.Bool
	var watching sync.WaitGroup
	watching.Go(func() {
		var stats goruntime.MemStats
		for ; !over.Load(); time.Sleep(5 * time.Millisecond) {
			goruntime.ReadMemStats(&stats)
			most = max(most, stats.HeapInuse)
		}
	})
	t.Cleanup(func() { over.Store(true) })
	return func() uint64 {
		over.Store(true)
		watching.Wait()
		return most
	}
}

// countdown calls itself n times, and then answers.
func countdown(n int32) []byte {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(1)
	m.Data(0, []byte("done"))
	m.Func("", i32, i32, nil, hosttest.LocalGet(0), hosttest.I32Eqz, []byte{0x04, 0x7f}, hosttest.I32Const(0), hosttest.Else,
		hosttest.LocalGet(0), hosttest.I32Const(1), hosttest.I32Sub, hosttest.Call(f+1), hosttest.I32Const(1), hosttest.I32Add, hosttest.End)
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(n), hosttest.Call(f+1), hosttest.I32Const(n), hosttest.I32Eq,
		hosttest.If, answer(f, 4), hosttest.End)
	return m.Bytes()
}

// Calls may be nested deeply, again and again; the stack that they needed is not
// kept.
func TestDeepCalls(t *testing.T) {
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), countdown(40_000)), host.Limits{})
	base := heap()
	for range 5 {
		if got := ask(t, s, "/", host.Limits{}); got.outcome != host.OutcomeOK || string(got.Body) != "done" {
			t.Fatalf("got %v %q, %v", got.outcome, got.Body, got.err)
		}
	}
	if left := heap(); left > base+1<<20 {
		t.Errorf("%d bytes of heap are left, %d before", left, base)
	}
	if s.Idle() != 1 {
		t.Errorf("%d instances wait, want the one", s.Idle())
	}
}
