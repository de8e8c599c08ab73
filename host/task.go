package host

import (
	"context"
	"time"
)

// Waitable is something that a guest can wait for.
type Waitable interface {
	// Ready reports whether using it now would not block. The first call may
	// set work in motion whose end wakes the waiting guest.
	Ready(c *Call) bool
}

// Task is host work that goes on while the guest does something else. The zero
// Task is finished.
type Task struct{ done chan struct{} }

// Start runs work on a goroutine that End waits for; ctx ends with the
// Invocation. Results that work leaves may be read once the task is ready.
func (c *Call) Start(work func(ctx context.Context)) Task {
	t, ctx := Task{make(chan struct{})}, c.Context()
	wake := c.wake
	c.inflight.Go(func() {
		defer func() {
			close(t.done)
			select {
			case wake <- struct{}{}:
			default:
			}
		}()
		work(ctx)
	})
	return t
}

// Ready implements Waitable.
func (t Task) Ready(*Call) bool {
	if t.done == nil {
		return true
	}
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// Wait blocks until the task is finished or the Invocation's time is over.
func (t Task) Wait(c *Call) *Error {
	if t.Ready(c) {
		return nil
	}
	c.Pause()
	defer c.Resume()
	select {
	case <-t.done:
		return nil
	case <-c.Done():
		return timeOver(c)
	}
}

// WaitAny blocks until one of ws is ready and returns its index, or -1 when
// timeout has passed first. A negative timeout waits as long as the Invocation lasts.
func (c *Call) WaitAny(ws []Waitable, timeout time.Duration) (int, *Error) {
	expired, stop := after(timeout)
	defer stop()
	for {
		for i, w := range ws {
			if w.Ready(c) {
				return i, nil
			}
		}
		if timeout == 0 {
			return -1, nil
		}
		if c.sleep(expired) {
			timeout = 0 // one last look
		}
		if c.life.over(c.parent) != nil {
			return -1, timeOver(c)
		}
	}
}

// sleep waits for a task's end or for expired, and reports whether it was that.
func (c *Call) sleep(expired <-chan time.Time) bool {
	c.Pause()
	defer c.Resume()
	select {
	case <-expired:
		return true
	case <-c.wake:
	case <-c.Done():
	}
	return false
}

func after(d time.Duration) (<-chan time.Time, func() bool) {
	if d <= 0 {
		return nil, func() bool { return false }
	}
	t := time.NewTimer(d)
	return t.C, t.Stop
}

func timeOver(c *Call) *Error {
	if c.Err() == context.DeadlineExceeded {
		return Errorf(CodeTimeout, "the time allowed for this invocation has passed")
	}
	return Errorf(CodeCanceled, "the invocation was canceled")
}
