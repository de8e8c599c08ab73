package natskv_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv/natskv"
)

func mustLock(t *testing.T, l *natskv.KeyLocks, keys ...string) (unlock func()) {
	t.Helper()
	unlock, err := l.Lock(t.Context(), keys...)
	if err != nil {
		t.Fatalf("lock %q: %v", keys, err)
	}
	return unlock
}

// A key waits for itself alone, and is forgotten when nobody needs it.
func TestKeyLocks(t *testing.T) {
	var l natskv.KeyLocks
	unlock := mustLock(t, &l, "b")
	for i := range 1000 {
		mustLock(t, &l, fmt.Sprint(i))()
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, keys := range [][]string{{"b"}, {"c", "b", "a"}} {
		if _, err := l.Lock(over, keys...); !errors.Is(err, context.Canceled) {
			t.Errorf("lock %q, of which b is held: got %v, want %v", keys, err, context.Canceled)
		}
	}
	mustLock(t, &l, "c", "a")()
	unlock()
	mustLock(t, &l, "c", "b", "a")()
	if n := l.Len(); n != 0 {
		t.Errorf("%d keys are known in the end, want none", n)
	}
}

// Many who lock several keys in any order do not wait for each other for ever.
func TestKeyLocksAtATime(t *testing.T) {
	var l natskv.KeyLocks
	var work sync.WaitGroup
	counts := [3]int{} // each guarded by the lock of its number
	for n := range 12 {
		work.Go(func() {
			for round := range 50 {
				i, j := (n+round)%3, (n+2*round+1)%3
				if i == j {
					j = (i + 1) % 3
				}
				unlock := mustLock(t, &l, fmt.Sprint(i), fmt.Sprint(j))
				counts[i]++
				counts[j]++
				unlock()
			}
		})
	}
	work.Wait()
	if sum := counts[0] + counts[1] + counts[2]; sum != 12*50*2 {
		t.Errorf("counted %d, want %d", sum, 12*50*2)
	}
	if n := l.Len(); n != 0 {
		t.Errorf("%d keys are known in the end, want none", n)
	}
}
