package runtime

import (
	"time"

	"github.com/mayfly-run/mayfly/host"
	"golang.org/x/sys/unix"
)

// threadClock reads CLOCK_THREAD_CPUTIME_ID and CLOCK_PROCESS_CPUTIME_ID: https://man7.org/linux/man-pages/man2/clock_gettime.2.html
type threadClock struct{}

func (threadClock) Read() (c host.Clocks, ok bool) {
	var thread, process unix.Timespec
	before := unix.Gettid()
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &thread) != nil || unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &process) != nil {
		return c, false
	}
	c = host.Clocks{ID: unix.Gettid(), Thread: time.Duration(thread.Nano()), Process: time.Duration(process.Nano())}
	return c, c.ID == before
}

// newThreadClock gives the clock where it is exact. A kernel that counts by ticks has
// one that stands still in between, and would let guests run for longer than they may.
func newThreadClock() host.ThreadClock {
	const reads = 64
	steps, last := 0, time.Duration(-1)
	for range reads {
		c, _ := threadClock{}.Read()
		if c.Thread > last {
			steps++
		}
		last = c.Thread
	}
	if steps < reads/2 {
		return nil
	}
	return threadClock{}
}
