package wasi

import (
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// Clocks that exist here; those of CPU time do not.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#clockid
const (
	realtime  = 0
	monotonic = 1
)

func clockFuncs() []abi.Func {
	return []abi.Func{
		function("clock_res_get", clockResGet, i32, i32),
		function("clock_time_get", clockTimeGet, i32, i64, i32),
	}
}

// clockResGet writes the resolution of a clock.
//
//   - id: the clock
//   - result: where the nanoseconds go, 8 bytes
//
// EINVAL: there is no such clock.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#clock_res_get
func clockResGet(g abi.Guest, a abi.Args) errno {
	if a.U32(0) > monotonic {
		return einval
	}
	g.PutUint64(a.U32(1), uint64(g.Services.Resolution()))
	return success
}

// clockTimeGet writes what a clock shows.
//
//   - id: the clock
//   - precision: how far off it may be; ignored
//   - result: where the nanoseconds go, 8 bytes
//
// EINVAL: there is no such clock.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#clock_time_get
func clockTimeGet(g abi.Guest, a abi.Args) errno {
	ns, ok := readClock(g.Call, a.U32(0))
	if !ok {
		return einval
	}
	g.PutUint64(a.U32(2), uint64(g.Services.Coarse(ns)))
	return success
}

// readClock returns what a clock shows, in nanoseconds: finer than guests may know.
func readClock(c *host.Call, id uint32) (int64, bool) {
	switch id {
	case realtime:
		return c.Services.Now().UnixNano(), true
	case monotonic:
		return monotonicTime(c), true
	}
	return 0, false
}

// monotonicTime begins each Invocation at the time of day and goes on from
// there. So a guest that was initialised in an earlier Invocation never sees
// its clock go back, and no guest reads zero, which Go's runtime takes for an
// error.
func monotonicTime(c *host.Call) int64 {
	w := &c.WASI
	if w.ClockStart.IsZero() {
		w.ClockStart, w.ClockBase = time.Now(), c.Services.Now().UnixNano()
	}
	return w.ClockBase + int64(time.Since(w.ClockStart))
}
