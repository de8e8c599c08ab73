package host_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// thread is clocks that a test moves. The process uses what its thread does, and more.
type thread struct {
	id     int
	used   time.Duration
	others time.Duration
	broken bool
	reads  int
}

func (t *thread) Read() (host.Clocks, bool) {
	t.reads++
	return host.Clocks{ID: t.id, Thread: t.used, Process: t.used + t.others}, !t.broken
}

// A guest has its CPU time, however little of the machine it gets, and no more than
// that, whatever the clock of its thread says.
func TestCPUTime(t *testing.T) {
	const look, limit = 100 * time.Microsecond, time.Second
	for _, tt := range []struct {
		name        string
		used        func(n int, c *thread) // moves the clock for the look n
		least, most time.Duration          // that may pass until the end
	}{
		{"alone on its processor", func(_ int, c *thread) { c.used += look }, limit, limit + look},
		{"a tenth of a processor", func(_ int, c *thread) { c.used += look / 10 }, 9 * limit, 10 * limit},
		{"another thread each time, and others are busy", func(n int, c *thread) {
			c.id = n
			c.used += look / 10
			c.others += 5 * look
		}, limit, limit + look},
		{"another thread each time, and nobody else is busy", func(n int, c *thread) {
			c.id = n
			c.used += look / 10
			c.others += look / 10
		}, 4 * limit, 5 * limit},
		{"others use its thread as well", func(_ int, c *thread) { c.used += 5 * look }, limit, limit + look},
		{"a thread that stands still for half of the time", func(n int, c *thread) {
			if c.used += look; n/1000%2 == 0 {
				c.used -= look
			}
		}, limit, 2*limit + 1000*look},
		{"a clock that can't be read", func(_ int, c *thread) { c.broken = true }, limit, limit + look},
		{"a clock that breaks", func(n int, c *thread) { c.broken = n > 5000 }, limit, limit*15/10 + look},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := new(thread)
				c := begin(t, host.Limits{CPU: limit, Wall: time.Hour})
				c.Threads = clock
				began := time.Now()
				for n := 0; ; n++ {
					time.Sleep(look)
					tt.used(n, clock)
					if err := c.Spend(1); err != nil {
						if passed := time.Since(began); passed < tt.least || passed > tt.most || !errors.Is(err, host.ErrCPUTime) {
							t.Errorf("ended after %v by %v, want between %v and %v", passed, err, tt.least, tt.most)
						}
						return
					}
				}
			})
		})
	}
}

// As long as little of the limit is used, the time that passes counts, and no clock
// is read.
func TestCPUTimeOfShortGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := new(thread)
		c := begin(t, host.Limits{CPU: time.Second, Wall: time.Hour})
		c.Threads = clock
		for range 10 {
			time.Sleep(5 * time.Millisecond)
			c.Spend(1)
			time.Sleep(time.Millisecond)
			c.Pause()
			time.Sleep(time.Minute)
			c.Resume()
		}
		if c.Usage.CPU != 60*time.Millisecond || clock.reads > 0 {
			t.Errorf("used %v, and read the clock %d times; want 60ms, never", c.Usage.CPU, clock.reads)
		}
	})
}

// A machine that stands still ends no guest that has hardly begun; what guests do
// between two waits counts.
func TestCPUTimeOfMachineThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := new(thread)
		c := begin(t, host.Limits{CPU: 200 * time.Millisecond, Wall: 24 * time.Hour})
		c.Threads = clock
		time.Sleep(10 * time.Second)
		if err := c.Spend(1); err != nil {
			t.Fatalf("ended by %v", err)
		}
		steps := 0
		for ; c.Spend(1) == nil; steps++ {
			c.Pause()
			time.Sleep(10 * time.Second)
			clock.used = time.Duration(steps) // that of another one
			c.Resume()
			time.Sleep(100 * time.Microsecond)
			clock.used += 100 * time.Microsecond
		}
		if used := time.Duration(steps) * 100 * time.Microsecond; used < 149*time.Millisecond || used > 200*time.Millisecond {
			t.Errorf("it had %v of 200ms", used)
		}
	})
}
