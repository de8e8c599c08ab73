package wasi_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func TestClockResolution(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	for id := range uint64(2) {
		g.want(0, "clock_res_get", id, 8)
		if got := g.Uint64(8); got != 100_000 {
			t.Errorf("clock %d: resolution of %d ns, want 100,000", id, got)
		}
	}
	for id := uint64(2); id < 5; id++ { // the CPU clocks, and none
		g.want(28, "clock_res_get", id, 8)
		g.want(28, "clock_time_get", id, 0, 8)
	}
}

func TestRealtime(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.want(0, "clock_time_get", 0, 1, 8)
	want := hosttest.Epoch.Truncate(host.DefaultClockStep).UnixNano()
	if got := g.Uint64(8); got != uint64(want) {
		t.Errorf("it is %d, want %d", got, want)
	}
}

// The monotonic clock begins at the time of day and goes its own way after that.
func TestMonotonic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		services := hosttest.Services(t)
		g := newGuest(t, hosttest.Invocation{Services: services})
		start := uint64(hosttest.Epoch.Truncate(host.DefaultClockStep).UnixNano())
		read := func() uint64 {
			g.want(0, "clock_time_get", 1, 1, 8)
			return g.Uint64(8) - start
		}
		if got := read(); got != 0 {
			t.Errorf("begins %d ns late", got)
		}
		services.Now = func() time.Time { return hosttest.Epoch.Add(-time.Hour) } // someone set the clock back
		time.Sleep(3*time.Millisecond + 88*time.Microsecond)
		if got := read(); got != 3_100_000 {
			t.Errorf("%d ns have passed, want 3100000", got)
		}
		services.Now = func() time.Time { return hosttest.Epoch.Add(time.Hour) }
		g.Next(hosttest.Invocation{Services: services})
		if got := read(); got != uint64(time.Hour) {
			t.Errorf("the next Invocation begins %d ns after the first, want an hour", got)
		}
	})
}
