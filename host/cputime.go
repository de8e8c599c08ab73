package host

import "time"

// ThreadClock tells how much processor time was used, which the time that passes is
// not on a machine that is busy with something else.
type ThreadClock interface {
	// Read reads the clocks, if they can be told.
	Read() (c Clocks, ok bool)
}

// Clocks are of the thread that asks, and of its process as a whole.
type Clocks struct {
	ID              int // of the thread
	Thread, Process time.Duration
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

// stretched is a time in which the guest runs, by all clocks.
type stretched struct {
	on     bool
	began  time.Time
	before time.Duration // Usage.CPU at the beginning
	clocks Clocks        // at the beginning
}

// ran counts the time since the guest began to run or was last looked at: the time
// that passed, unless its process used less, or its thread if the guest stayed on one.
// None is less than what the guest used.
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
	if clocks, ok := c.Threads.Read(); ok {
		c.stretch = stretched{true, now, c.Usage.CPU, clocks}
	}
}

func (c *Call) endStretch() {
	if !c.stretch.on {
		return
	}
	if now, ok := c.Threads.Read(); ok {
		then := c.stretch.clocks
		used := now.Process - then.Process
		if now.ID == then.ID {
			used = min(used, now.Thread-then.Thread)
		}
		c.Usage.CPU = min(c.Usage.CPU, c.stretch.before+used)
	}
	c.stretch.on = false
}
