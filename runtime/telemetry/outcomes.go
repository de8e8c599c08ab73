package telemetry

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Outcomes counts requests, failures among them, and how long they took. The zero
// value is ready, and safe for concurrent use.
type Outcomes struct {
	failed  atomic.Int64
	buckets [bucketCount]atomic.Int64
}

// A bucket holds durations from its floor to that of the next one: eight to each
// doubling, from a microsecond on.
const (
	perDoubling = 8
	bucketCount = 30 * perDoubling // up to 15 minutes
)

// Add counts a request.
func (o *Outcomes) Add(failed bool, took time.Duration) {
	if failed {
		o.failed.Add(1)
	}
	o.buckets[bucketOf(took)].Add(1)
}

func bucketOf(d time.Duration) int {
	us := uint64(max(1, d.Microseconds()))
	doubling := bits.Len64(us) - 1
	part := int((us<<3)>>doubling) - perDoubling
	return min(bucketCount-1, doubling*perDoubling+part)
}

// floor is the shortest duration of a bucket.
func floor(bucket int) time.Duration {
	doubling, part := bucket/perDoubling, bucket%perDoubling
	return time.Duration((uint64(perDoubling+part)<<doubling)>>3) * time.Microsecond
}

// Counts are Outcomes at one moment.
type Counts struct {
	Requests, Failed int64
	P99              time.Duration // at most an eighth less than it was
}

// Counts reads the counters. What ends meanwhile may be in some of them only.
func (o *Outcomes) Counts() Counts {
	c := Counts{Failed: o.failed.Load()}
	var in [bucketCount]int64
	for i := range o.buckets {
		in[i] = o.buckets[i].Load()
		c.Requests += in[i]
	}
	beyond := c.Requests / 100 // so many took longer
	for i := bucketCount - 1; i >= 0 && c.Requests > 0; i-- {
		if beyond -= in[i]; beyond < 0 {
			c.P99 = floor(i)
			break
		}
	}
	return c
}
