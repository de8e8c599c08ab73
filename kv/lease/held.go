package lease

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// ErrLost: the lease was not renewed in time, and may be somebody else's.
var ErrLost = errors.New("the lease was lost")

// Held is a lease that is held. It is renewed until it is released.
type Held struct {
	lock *Lock
	lost context.CancelCauseFunc // ends done
	done context.Context

	ends atomic.Pointer[time.Time] // before anybody may take it

	mu       sync.Mutex // guards what follows; held while the record is written
	revision uint64     // of the record
	timer    *time.Timer
	over     bool // released, or lost
}

// take writes the record over the one with a revision.
func (l *Lock) take(ctx context.Context, revision uint64) (*Held, error) {
	began := time.Now()
	revision, err := l.put(ctx, l.mine(), revision)
	if err != nil {
		return nil, err
	}
	h := &Held{lock: l, revision: revision}
	h.until(began)
	h.done, h.lost = context.WithCancelCause(context.Background())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(l.cfg.TTL/3, h.renew)
	return h, nil
}

// until has the lease last from the beginning of a write on, a little less long than
// others believe: clocks may run at different speeds.
func (h *Held) until(began time.Time) {
	ends := began.Add(h.lock.cfg.TTL / 8 * 7)
	h.ends.Store(&ends)
}

// Revision is that of the write by which the lease was taken or renewed last. A copy
// that has it has all that was written by holders before.
func (h *Held) Revision() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.revision
}

// Lost says whether the lease may be somebody else's.
func (h *Held) Lost() bool { return h.done.Err() != nil || h.late() }

func (h *Held) late() bool { return !time.Now().Before(*h.ends.Load()) }

// Done is closed when the lease was lost or released.
func (h *Held) Done() <-chan struct{} { return h.done.Done() }

// renew is the timer's.
func (h *Held) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	began := time.Now()
	ctx, cancel := context.WithDeadline(context.Background(), *h.ends.Load())
	defer cancel()
	revision, err := h.lock.put(ctx, h.lock.mine(), h.revision)
	switch {
	case err == nil:
		h.revision = revision
		h.until(began)
		h.timer.Reset(h.lock.cfg.TTL / 3)
	case errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrClosed), h.late():
		h.over = true
		h.lost(ErrLost)
	default: // the cluster is away; perhaps it comes back in time
		h.timer.Reset(h.lock.cfg.TTL / 16)
	}
}

// Release gives the lease back. If that can't be written, others wait until it ends.
func (h *Held) Release(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { <-h.lock.turn }()
	h.timer.Stop()
	lost := h.over || h.late()
	h.over = true
	h.lost(nil)
	if lost {
		return ErrLost
	}
	ctx, cancel := context.WithDeadline(ctx, *h.ends.Load())
	defer cancel()
	_, err := h.lock.put(ctx, record{}, h.revision)
	return err
}

// Context is parent until the lease is lost or released; cancel has to be called. Its
// Err looks at the clock, so that no write begins after a pause in which the lease
// has ended.
func (h *Held) Context(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	inner, end := context.WithCancelCause(parent)
	stop := context.AfterFunc(h.done, func() { end(ErrLost) })
	return heldContext{inner, h}, func() {
		stop()
		end(context.Canceled)
	}
}

type heldContext struct {
	context.Context
	held *Held
}

// Err implements context.Context.
func (c heldContext) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.held.Lost() {
		return context.Canceled
	}
	return nil
}
