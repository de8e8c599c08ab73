package host

import "time"

// ThreadClock tells how much processor time threads have used, which the time that
// passes is not on a machine that is busy with something else.
type ThreadClock interface {
	// Read gives the thread that asks, by a number other than 0, and its processor time.
	Read() (thread int, used time.Duration)
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

// stretched is a time in which the guest runs, by both clocks.
type stretched struct {
	began  time.Time
	before time.Duration // Usage.CPU at the beginning
	thread int           // 0: the clock was not read
	used   time.Duration // by the thread, at the beginning
}

// ran counts the time since the guest began to run or was last looked at. It is the
// time that passed, unless the guest stayed on its thread and that used less. Neither
// is less than what the guest used.
func (c *Call) ran(now time.Time) {
	if c.running.IsZero() {
		return
	}
	passed := now.Sub(c.running)
	if c.Threads != nil && c.stretch.thread == 0 && !c.clocked() {
		passed = min(passed, c.Limits.CPU/glimpse)
	}
	c.Usage.CPU += passed
	if c.stretch.thread != 0 && (now.Sub(c.stretch.began) >= stretch || c.Usage.CPU > c.Limits.CPU) {
		c.endStretch()
	}
}

// clocked says whether the guest has run for so long that clocks of threads are read.
func (c *Call) clocked() bool { return c.Threads != nil && c.Usage.CPU >= c.Limits.CPU/unclocked }

func (c *Call) beginStretch(now time.Time) {
	if c.stretch.thread == 0 && c.clocked() {
		c.stretch.began, c.stretch.before = now, c.Usage.CPU
		c.stretch.thread, c.stretch.used = c.Threads.Read()
	}
}

func (c *Call) endStretch() {
	if thread, used := c.Threads.Read(); thread == c.stretch.thread {
		c.Usage.CPU = min(c.Usage.CPU, c.stretch.before+used-c.stretch.used)
	}
	c.stretch.thread = 0
}
