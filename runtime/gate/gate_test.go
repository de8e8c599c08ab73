package gate_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/runtime/gate"
)

func TestOpenGate(t *testing.T) {
	g := gate.New(0)
	for range 10_000 {
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Never more than the most are inside, and everybody who fits into the queue gets
// in.
func TestMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, callers = 3, 100
		g := gate.New(most)
		var inside, entered atomic.Int64
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				if err := g.Enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				defer g.Leave()
				if n := inside.Add(1); n > most {
					t.Errorf("%d are inside", n)
				}
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				entered.Add(1)
			})
		}
		all.Wait()
		if entered.Load() != callers {
			t.Errorf("%d of %d got in", entered.Load(), callers)
		}
	})
}

// Who waits in vain, or would be too many in the queue, is told so, and leaves
// nothing behind.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New(1)
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var refused, atOnce atomic.Int64
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				began := time.Now()
				if err := g.Enter(t.Context()); !errors.Is(err, gate.ErrFull) {
					t.Errorf("got %v", err)
				}
				if refused.Add(1); time.Since(began) == 0 {
					atOnce.Add(1)
				} else if took := time.Since(began); took != time.Second {
					t.Errorf("waited %v", took)
				}
			})
		}
		all.Wait()
		if refused.Load() != 200 || atOnce.Load() != 72 {
			t.Errorf("%d were refused, %d at once; want 200 and 72", refused.Load(), atOnce.Load())
		}
		g.Leave()
		if err := g.Enter(t.Context()); err != nil {
			t.Errorf("after everybody left: %v", err)
		}
	})
}

func TestSetMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New(1)
		g.Enter(t.Context())
		in := make(chan error)
		go func() { in <- g.Enter(t.Context()) }()
		synctest.Wait()
		g.SetMost(2)
		if err := <-in; err != nil {
			t.Error(err)
		}
		g.SetMost(1)
		g.Leave()
		go func() { in <- g.Enter(t.Context()) }()
		if err := <-in; !errors.Is(err, gate.ErrFull) {
			t.Errorf("one is inside and one may be: %v", err)
		}
	})
}

func BenchmarkEnterLeave(b *testing.B) {
	g := gate.New(100)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if g.Enter(b.Context()) == nil {
				g.Leave()
			}
		}
	})
}

// Somebody who looks whether there is room, and goes on where there is none, takes none
// from those who wait.
func TestTryEnterBeside(t *testing.T) {
	for round := range 5_000 {
		g := gate.New(1)
		g.Add()
		var ready, beside sync.WaitGroup
		start := make(chan struct{})
		ready.Add(3)
		begin := func() {
			ready.Done()
			<-start
		}
		beside.Go(func() {
			begin()
			g.Leave()
		})
		beside.Go(func() {
			begin()
			if g.TryEnter() {
				g.Leave()
			}
		})
		in := make(chan struct{})
		go func() {
			begin()
			if !g.TryEnter() {
				<-g.Ask("")
			}
			close(in)
		}()
		ready.Wait()
		close(start)
		beside.Wait()
		select {
		case <-in:
		case <-time.After(time.Minute):
			t.Fatalf("round %d: there is room, and somebody waits", round)
		}
	}
}
