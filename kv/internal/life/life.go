// Package life keeps the calls of a store and its end apart.
package life

import (
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// Life is how long a store may be called. The zero value lasts until End; all methods
// may be called concurrently.
type Life struct {
	mu   sync.RWMutex // held for reading by every call; guards over
	over bool
}

// Enter begins a call; if it returns nil the caller calls Leave. The error is
// kv.ErrClosed or that of ctx. A call that has begun does not Enter again: it would
// wait for an End that waits for it.
func (l *Life) Enter(ctx context.Context) error {
	l.mu.RLock()
	err := ctx.Err()
	if l.over {
		err = kv.ErrClosed
	}
	if err != nil {
		l.mu.RUnlock()
	}
	return err
}

// Leave ends a call.
func (l *Life) Leave() { l.mu.RUnlock() }

// End waits for the calls that are under way, and lets no more begin.
func (l *Life) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
