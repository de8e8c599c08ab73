package host

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Causes of an Invocation's end, as context.Cause tells them.
var (
	ErrWallTime = errors.New("wall time limit exceeded")
	ErrEnded    = errors.New("invocation has ended")
)

// lifetime is the time an Invocation has. Its context is made only when
// something waits, which many Invocations never do.
type lifetime struct {
	mu       sync.Mutex // guards all below
	deadline time.Time
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	cause    error // set once by the first end
}

// context returns the context of what belongs to this Invocation. It is a new
// one each time the Call begins: a library may keep it after the end, when the
// Call itself serves another Invocation already.
func (l *lifetime) context(parent context.Context) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.open(parent)
	}
	return l.ctx
}

// open needs l.mu.
func (l *lifetime) open(parent context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	l.ctx, l.cancel = ctx, cancel
	if l.cause != nil {
		cancel(l.cause)
		return
	}
	l.timer = time.AfterFunc(time.Until(l.deadline), func() { cancel(ErrWallTime) })
}

func (l *lifetime) finish(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = cause
	}
	if l.cancel != nil {
		l.cancel(cause)
	}
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *lifetime) end() { l.finish(ErrEnded) }

// used says whether somebody asked for the context, as all work does that goes on
// beside the guest.
func (l *lifetime) used() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ctx != nil
}

func (l *lifetime) extend(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil || l.ctx != nil && l.ctx.Err() != nil {
		return
	}
	l.deadline = time.Now().Add(d)
	if l.timer != nil {
		l.timer.Reset(d)
	}
}

func (l *lifetime) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline, l.ctx, l.cancel, l.timer, l.cause = time.Time{}, nil, nil, nil, nil
}

// Context is the context of this Invocation alone, for work that may outlive it
// by a moment. It ends with the Invocation at the latest.
func (c *Call) Context() context.Context { return c.life.context(c.parent) }

// Cancel ends the Invocation's context; context.Cause tells why.
func (c *Call) Cancel(cause error) { c.life.finish(cause) }

// Extend moves the deadline to d from now, unless the Invocation has ended.
func (c *Call) Extend(d time.Duration) { c.life.extend(d) }

// Deadline implements context.Context.
func (c *Call) Deadline() (time.Time, bool) {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.life.deadline, true
}

// Done implements context.Context.
func (c *Call) Done() <-chan struct{} { return c.Context().Done() }

// Err implements context.Context: DeadlineExceeded once the wall time has
// passed, Canceled for every other end.
func (c *Call) Err() error {
	return errOf(c.Context())
}

func errOf(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), ErrWallTime) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

type callKey struct{}

// Value implements context.Context.
func (c *Call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.parent.Value(key)
}

// CallFrom returns the Call that runs the guest under ctx, or nil.
func CallFrom(ctx context.Context) *Call {
	if c, ok := ctx.(*Call); ok {
		return c
	}
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// EngineContext is the context to run the guest under with an engine that may
// look at it from another goroutine even after the guest has returned. It leads
// to the Call, but its end is that of this Invocation alone.
func (c *Call) EngineContext() context.Context { return &engineContext{c.Context(), c} }

type engineContext struct {
	context.Context
	call *Call
}

func (e *engineContext) Value(key any) any {
	if key == (callKey{}) {
		return e.call
	}
	return e.Context.Value(key)
}

func (e *engineContext) Err() error { return errOf(e.Context) }
