package trigger_test

import (
	"os"
	goruntime "runtime"
	"strings"
	"testing"
	"time"
)

// some is how many of something a test makes: few, or with MAYFLY_TORTURE=1, which
// "make torture" sets, as many as an attacker would.
func some(t testing.TB, few, many int) int {
	t.Helper()
	if os.Getenv("MAYFLY_TORTURE") != "" {
		return many
	}
	t.Logf("%d instead of %d: MAYFLY_TORTURE is not set", few, many)
	return few
}

// heapSlack is what the heap may have grown by after a test, in bytes: what pools
// and maps keep.
const heapSlack = 24 << 20

// leavesNothing runs a test in which a server starts and ends, and wants its
// goroutines and memory back.
func leavesNothing(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	before, _ := goroutines()
	heap := liveHeap()
	t.Run("under attack", test)
	client.CloseIdleConnections()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		n, stacks := goroutines()
		if n <= before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before\n%s", n, before, stacks)
		}
	}
	if now := liveHeap(); now > heap+heapSlack {
		t.Errorf("the heap has %d MiB, %d before", now>>20, heap>>20)
	}
}

// leavesPatiently is leavesNothing of patiently.
func leavesPatiently(t *testing.T, test func(t testing.TB, soon time.Duration)) {
	t.Helper()
	leavesNothing(t, func(t *testing.T) { patiently(t, test) })
}

// goroutines counts them, without two of fasthttp's that sleep for some seconds
// before they see that there is nothing left to do.
func goroutines() (n int, stacks string) {
	buf := make([]byte, 8<<20)
	stacks = string(buf[:goruntime.Stack(buf, true)])
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if !strings.Contains(stack, "fasthttp.(*workerPool).Start") && !strings.Contains(stack, "fasthttp.updateServerDate") {
			n++
		}
	}
	return n, stacks
}

// liveHeap is what the heap has after pools were emptied, which takes two rounds.
func liveHeap() uint64 {
	var m goruntime.MemStats
	for range 3 {
		goruntime.GC()
	}
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc
}
