// Package gate bounds how many Invocations run at the same time. Begin with New.
package gate

import (
	"context"
	"errors"
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

// Gate lets a number of Invocations in. It is safe for concurrent use, and costs
// two additions as long as nobody has to wait.
type Gate struct {
	most    atomic.Int64
	running atomic.Int64
	waiting atomic.Int64 // len(queue)

	mu    sync.Mutex // guards queue
	queue []turn     // first come, first served
}

// A turn is closed when it has come.
type turn chan struct{}

// New makes a Gate that lets most in; 0 lets everybody in.
func New(most int) *Gate {
	g := &Gate{}
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
	if g.waiting.Load() == 0 && g.enter() {
		return nil
	}
	t, err := g.ask()
	if err != nil {
		return err
	}
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	select {
	case <-t:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	if g.giveUp(t) {
		return ErrFull
	}
	return nil // it came at the same time
}

// enter takes a place if there is one.
func (g *Gate) enter() bool {
	n, most := g.running.Add(1), g.most.Load()
	if most == 0 || n <= most {
		return true
	}
	g.running.Add(-1)
	return false
}

// ask queues up. Somebody may have left since there was no place.
func (g *Gate) ask() (turn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) >= maxQueue {
		return nil, ErrFull
	}
	t := make(turn)
	g.queue = append(g.queue, t)
	g.waiting.Add(1)
	g.admit()
	return t, nil
}

// giveUp reports whether the turn had not come yet.
func (g *Gate) giveUp(t turn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, t)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	g.waiting.Add(-1)
	return true
}

// Leave makes room for the next.
func (g *Gate) Leave() {
	g.running.Add(-1)
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admit()
}

// admit lets in who waits, as far as there is room. It needs g.mu.
func (g *Gate) admit() {
	for len(g.queue) > 0 && g.enter() {
		close(g.queue[0])
		g.queue = slices.Delete(g.queue, 0, 1)
		g.waiting.Add(-1)
	}
}
