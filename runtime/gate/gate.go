// Package gate bounds how many Invocations run at the same time. Begin with New.
package gate

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull: as many run as may, and as many wait as may, or the wait was in vain.
var ErrFull = errors.New("too many at the same time")

// A burst is smoothed by a queue; whoever would have to wait for long is told so
// at once.
const (
	maxQueue = 128
	maxWait  = time.Second
)

// Gate lets a number of Invocations in. Those that have to wait queue up, for
// themselves or for somebody who shares the Gate with others: then who has used least
// comes first. It is safe for concurrent use, and costs two atomic operations as long
// as nobody has to wait.
type Gate struct {
	most    atomic.Int64
	running atomic.Int64
	waiting atomic.Int64 // in all queues

	mu     sync.Mutex // guards what follows
	queues map[string]*queue
	now    time.Duration // what had been used for whom a Turn came last
}

// queue is first come, first served.
type queue struct {
	used  time.Duration
	turns []Turn
}

// A Turn is closed when it has come.
type Turn chan struct{}

// New makes a Gate that lets most in; 0 lets everybody in.
func New(most int) *Gate {
	g := &Gate{queues: map[string]*queue{}}
	g.most.Store(int64(most))
	return g
}

// SetMost changes how many are let in. Who is inside stays.
func (g *Gate) SetMost(most int) {
	g.most.Store(int64(most))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admit()
}

// Enter lets the caller in, after a wait of a second at most, or until ctx ends. An
// Enter that returned nil is ended by Leave. The error is ErrFull.
func (g *Gate) Enter(ctx context.Context) error {
	if g.TryEnter() {
		return nil
	}
	t := g.ask("", maxQueue)
	if t == nil {
		return ErrFull
	}
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	select {
	case <-t:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	if g.GiveUp("", t) {
		return ErrFull
	}
	return nil // it came at the same time
}

// Running is how many are inside, about.
func (g *Gate) Running() int64 { return g.running.Load() }

// TryEnter lets the caller in unless somebody would have to wait. Leave ends that.
func (g *Gate) TryEnter() bool { return g.waiting.Load() == 0 && g.enter() }

// enter takes a place if there is one. It is never beyond that, not for a moment: who
// leaves then would find no room for those who wait, and nobody would look again.
func (g *Gate) enter() bool {
	for {
		n, most := g.running.Load(), g.most.Load()
		if most > 0 && n >= most {
			return false
		}
		if g.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Ask queues up for somebody. Whose Turn has come is inside.
func (g *Gate) Ask(who string) Turn { return g.ask(who, math.MaxInt64) }

// ask returns nil if most wait already.
func (g *Gate) ask(who string, most int64) Turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.Load() >= most {
		return nil
	}
	q := g.queues[who]
	if q == nil {
		q = &queue{used: g.now}
		g.queues[who] = q
	}
	t := make(Turn)
	q.turns = append(q.turns, t)
	g.waiting.Add(1)
	g.admit() // somebody may have left since there was no place
	return t
}

// GiveUp reports whether the Turn had not come yet.
func (g *Gate) GiveUp(who string, t Turn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[who]
	if q == nil {
		return false
	}
	i := slices.Index(q.turns, t)
	if i < 0 {
		return false
	}
	q.turns = slices.Delete(q.turns, i, i+1)
	g.waiting.Add(-1)
	return true
}

// Add counts somebody who is in already, by another way, even beyond as many as may
// be: then nobody else is let in until enough have left. Leave ends it.
func (g *Gate) Add() { g.running.Add(1) }

// Leave makes room for the next.
func (g *Gate) Leave() { g.LeaveAfter("", 0) }

// LeaveAfter is Leave that counts what was used inside.
func (g *Gate) LeaveAfter(who string, used time.Duration) {
	g.running.Add(-1)
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if q := g.queues[who]; q != nil {
		q.used += used
	}
	g.admit()
}

// admit lets in who waits, as far as there is room. It needs g.mu.
func (g *Gate) admit() {
	for g.waiting.Load() > 0 && g.enter() {
		q := g.next()
		g.now = max(g.now, q.used)
		close(q.turns[0])
		q.turns = slices.Delete(q.turns, 0, 1)
		g.waiting.Add(-1)
	}
	if g.waiting.Load() == 0 {
		clear(g.queues)
	}
}

// next is the queue whose turn it is; somebody waits. It needs g.mu.
func (g *Gate) next() (next *queue) {
	for _, q := range g.queues {
		if len(q.turns) > 0 && (next == nil || q.used < next.used) {
			next = q
		}
	}
	return next
}
