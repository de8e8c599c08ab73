package runtime

import (
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

const (
	// slice is how long a guest runs while others wait for their turn.
	slice = 2 * time.Millisecond
	// shortUnits is up to what a guest goes before those that have run for longer:
	// about 10 ms of work.
	shortUnits = 100 * quantum
	// shortStreak is how often in a row that happens while others wait as well.
	shortStreak = 8
)

// turns lets guests that outlive their first quantum run one after the other and
// leaves one processor to everything else: to the network, to short requests and
// to the garbage collector. Who has hardly run yet comes first, and takes the turn
// from those that have; among equals who waited longest.
type turns struct {
	waiting atomic.Int32 // of both queues

	mu     sync.Mutex // guards what follows
	free   int
	queues [2][]waiter // the short ones, the long ones
	streak int
}

// A waiter is closed when its turn has come.
type waiter chan struct{}

func newTurns() *turns { return &turns{free: max(1, goruntime.GOMAXPROCS(0)-1)} }

// take gives the Call a turn or lets it keep the one it has. It waits if it must,
// at most until the Invocation is over.
func (t *turns) take(c *host.Call) {
	if c.Turn != nil {
		if t.waiting.Load() == 0 || !t.due(c) {
			return
		}
		c.EndTurn()
	}
	if w := t.ask(level(c)); w != nil {
		t.wait(c, w)
		return
	}
	c.Turn, c.TurnSince = t, time.Now()
}

func level(c *host.Call) int {
	if c.Usage.Units < shortUnits {
		return 0
	}
	return 1
}

// due says whether the Call has to let others run.
func (t *turns) due(c *host.Call) bool {
	if time.Since(c.TurnSince) >= slice {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return level(c) > 0 && len(t.queues[0]) > 0 && t.streak < shortStreak
}

// ask takes a turn that is free, or queues up.
func (t *turns) ask(level int) waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil
	}
	w := make(waiter)
	t.queues[level] = append(t.queues[level], w)
	t.waiting.Add(1)
	return w
}

func (t *turns) wait(c *host.Call, w waiter) {
	began := time.Now()
	c.Pause()
	defer c.Resume()
	select {
	case <-w:
		c.Turn, c.TurnSince = t, time.Now()
	case <-c.Done():
		if !t.leave(w) {
			t.EndTurn() // it came at the same time
		}
	}
	c.TurnWait += time.Since(began)
}

// leave takes a waiter out of its queue and reports whether it still was there.
func (t *turns) leave(w waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for level, q := range t.queues {
		if i := slices.Index(q, w); i >= 0 {
			t.queues[level] = slices.Delete(q, i, i+1)
			t.waiting.Add(-1)
			return true
		}
	}
	return false
}

// EndTurn implements host.Turn: it passes the turn on.
func (t *turns) EndTurn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	level := 0
	if len(t.queues[0]) == 0 || t.streak >= shortStreak && len(t.queues[1]) > 0 {
		level = 1
	}
	if len(t.queues[level]) == 0 {
		t.free++
		return
	}
	if t.streak++; level > 0 {
		t.streak = 0
	}
	close(t.queues[level][0])
	t.queues[level] = slices.Delete(t.queues[level], 0, 1)
	t.waiting.Add(-1)
}
