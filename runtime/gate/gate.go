// Package gate bounds how many Invocations run at the same time. Begin with New.
package gate

import (
	"errors"
	"slices"
	"sync"
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

// Gate lets a number of Invocations in. It is safe for concurrent use.
type Gate struct {
	mu      sync.Mutex // guards what follows
	most    int
	running int
	queue   []turn // first come, first served
}

// A turn is closed when it has come.
type turn chan struct{}

// New makes a Gate that lets most in; 0 lets everybody in.
func New(most int) *Gate { return &Gate{most: most} }

// SetMost changes how many are let in. Who is inside stays.
func (g *Gate) SetMost(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = most
	g.admit()
}

// Enter lets the caller in, after a wait of a second at most. An Enter that
// returned nil is ended by Leave. The error is ErrFull.
func (g *Gate) Enter() error {
	t, err := g.ask()
	if err != nil || t == nil {
		return err
	}
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	select {
	case <-t:
		return nil
	case <-patience.C:
	}
	if g.giveUp(t) {
		return ErrFull
	}
	return nil // it came at the same time
}

// ask returns no turn if the caller is in already.
func (g *Gate) ask() (turn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room() {
		g.running++
		return nil, nil
	}
	if len(g.queue) >= maxQueue {
		return nil, ErrFull
	}
	t := make(turn)
	g.queue = append(g.queue, t)
	return t, nil
}

func (g *Gate) room() bool { return g.most == 0 || g.running < g.most }

// giveUp reports whether the turn had not come yet.
func (g *Gate) giveUp(t turn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, t)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	return true
}

// Leave makes room for the next.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.admit()
}

// admit lets in who waits, as far as there is room. It needs g.mu.
func (g *Gate) admit() {
	for len(g.queue) > 0 && g.room() {
		g.running++
		close(g.queue[0])
		g.queue = slices.Delete(g.queue, 0, 1)
	}
}
