package host

import (
	goruntime "runtime"
	"time"
)

// ThreadClock tells how much processor time a thread has used, which the time that
// passes is not on a machine that is busy with something else.
type ThreadClock interface {
	// Read gives the processor time of the thread that asks, if it can be told.
	Read() (used time.Duration, ok bool)
}

const (
	// unclocked is which part of Limits.CPU is measured by the time that passes alone,
	// since it costs less: most Invocations end within it.
	unclocked = 16
	// glimpse is which part of Limits.CPU one look within that may count at most: a
	// machine that stood still must not end an Invocation that has hardly begun.
	glimpse = 4
	// stretch is for how long the time that passes is believed after that.
	stretch = 2 * time.Millisecond
)

// stretched is a time in which the guest runs, by both clocks. The guest's goroutine
// stays on its thread meanwhile, since Go moves those that a busy machine kept waiting.
type stretched struct {
	on     bool
	began  time.Time
	before time.Duration // Usage.CPU at the beginning
	used   time.Duration // by the thread, at the beginning
}

// ran counts the time since the guest began to run or was last looked at: the time
// that passed, unless its thread used less. Neither is less than what the guest used.
func (c *Call) ran(now time.Time) {
	if c.running.IsZero() {
		return
	}
	passed := now.Sub(c.running)
	if c.Threads != nil && !c.clocked() {
		passed = min(passed, c.Limits.CPU/glimpse)
	}
	c.Usage.CPU += passed
	if c.stretch.on && (now.Sub(c.stretch.began) >= stretch || c.Usage.CPU > c.Limits.CPU) {
		c.endStretch()
	}
}

// clocked says whether the guest has run for so long that clocks of threads are read.
func (c *Call) clocked() bool { return c.Threads != nil && c.Usage.CPU >= c.Limits.CPU/unclocked }

func (c *Call) beginStretch(now time.Time) {
	if c.stretch.on || !c.clocked() {
		return
	}
	goruntime.LockOSThread()
	used, ok := c.Threads.Read()
	if !ok {
		goruntime.UnlockOSThread()
		return
	}
	c.stretch = stretched{true, now, c.Usage.CPU, used}
}

func (c *Call) endStretch() {
	if !c.stretch.on {
		return
	}
	if used, ok := c.Threads.Read(); ok {
		c.Usage.CPU = min(c.Usage.CPU, c.stretch.before+used-c.stretch.used)
	}
	goruntime.UnlockOSThread()
	c.stretch.on = false
}
