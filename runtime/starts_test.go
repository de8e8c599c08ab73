package runtime_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

func callOf(t *testing.T, account string) *host.Call {
	c := &host.Call{Bindings: &host.Bindings{Account: account}, Limits: host.Limits{Wall: time.Hour}}
	c.Begin(t.Context())
	return c
}

// Who has used least begins next, however many others wait for longer; within an
// account it is who came first.
func TestLeastUsedBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runtime.NewStarts(1)
		first := callOf(t, "many")
		s.Begin(first)
		var order []string
		var all sync.WaitGroup
		for _, account := range []string{"many", "many", "many", "one", "many", "one"} {
			c := callOf(t, account)
			all.Go(func() {
				if !s.Begin(c) {
					t.Error("it was over")
				}
				order = append(order, account)
				c.Usage.CPU = time.Millisecond
				c.EndTurn()
			})
			synctest.Wait()
		}
		first.Usage.CPU = 10 * time.Millisecond
		first.EndTurn()
		all.Wait()
		if want := []string{"one", "one", "many", "many", "many", "many"}; !slices.Equal(order, want) {
			t.Errorf("got %v, want %v", order, want)
		}
	})
}

// Who waits for longer than its time does not begin, and leaves nothing behind.
func TestBeginInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runtime.NewStarts(1)
		first, late := callOf(t, "a"), callOf(t, "a")
		s.Begin(first)
		late.Limits.Wall = time.Second
		late.Begin(t.Context())
		if s.Begin(late) || late.TurnWait != time.Second {
			t.Errorf("it began after %v", late.TurnWait)
		}
		first.EndTurn()
		next := callOf(t, "a")
		if !s.Begin(next) || next.TurnWait != 0 {
			t.Error("the place is gone")
		}
		next.EndTurn()
		first.End(nil)
		next.End(nil)
	})
}

// Never more than the most are inside, and everybody gets in.
func TestBeginConcurrently(t *testing.T) {
	const most, callers, rounds = 3, 16, 500
	s := runtime.NewStarts(most)
	var inside, entered atomic.Int64
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			for range rounds {
				c := callOf(t, string(rune('a'+n%5)))
				if !s.Begin(c) {
					t.Error("it was over")
				}
				if n := inside.Add(1); n > most {
					t.Errorf("%d are inside", n)
				}
				entered.Add(1)
				inside.Add(-1)
				c.End(nil)
			}
		})
	}
	all.Wait()
	if entered.Load() != callers*rounds {
		t.Errorf("%d entered, want %d", entered.Load(), callers*rounds)
	}
}
