package runtime

import (
	"time"

	"github.com/mayfly-run/mayfly/host"
	"golang.org/x/sys/unix"
)

// threadClock reads CLOCK_THREAD_CPUTIME_ID: https://man7.org/linux/man-pages/man2/clock_gettime.2.html
type threadClock struct{}

func (threadClock) Read() (used time.Duration, ok bool) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err == nil
}

// newThreadClock gives the clock where it is exact. A kernel that counts by ticks has
// one that stands still in between, and would let guests run for longer than they may.
func newThreadClock() host.ThreadClock {
	const reads = 64
	steps, last := 0, time.Duration(-1)
	for range reads {
		used, _ := threadClock{}.Read()
		if used > last {
			steps++
		}
		last = used
	}
	if steps < reads/2 {
		return nil
	}
	return threadClock{}
}
