package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// bounds are the upper bounds of a histogram's buckets. Most Invocations take less
// than a millisecond, and none more than minutes.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, 60 * time.Second, 300 * time.Second,
}

// histogram counts times. The zero value is ready, and safe for concurrent use.
type histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64 // the last one is of what is beyond
	sum     atomic.Int64                   // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// metric is the histogram as Prometheus has it, where each bucket counts those below
// it as well.
func (h *histogram) metric(desc *prometheus.Desc) prometheus.Metric {
	count, below := uint64(0), map[float64]uint64{}
	for i := range bounds {
		count += h.buckets[i].Load()
		below[bounds[i].Seconds()] = count
	}
	count += h.buckets[len(bounds)].Load()
	return prometheus.MustNewConstHistogram(desc, count, time.Duration(h.sum.Load()).Seconds(), below)
}
