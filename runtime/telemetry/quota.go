package telemetry

import (
	"sync/atomic"
	"time"
)

// Quota lets a number of things through in each second. The zero value is ready,
// and safe for concurrent use.
type Quota struct {
	window  atomic.Int64 // the second, in Unix time
	used    atomic.Int64 // in that second
	skipped atomic.Int64 // that the caller was not yet told of
}

// Take reports whether there is one left in the second of now, and how many were
// refused since the last that was let through.
func (q *Quota) Take(now time.Time, most int64) (skipped int64, ok bool) {
	if second := now.Unix(); q.window.Swap(second) != second {
		q.used.Store(0)
	}
	if q.used.Add(1) > most {
		q.skipped.Add(1)
		return 0, false
	}
	return q.skipped.Swap(0), true
}
