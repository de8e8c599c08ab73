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
func (o *Outcomes) Counts() Counts { return o.Sample().Counts() }

// Sample is Outcomes at one moment, as nodes tell each other.
type Sample struct {
	Failed  int64         `json:"failed,omitempty"`
	Buckets map[int]int64 `json:"buckets,omitempty"` // those that are not empty, by their number
}

// Sample reads the counters, as Counts does.
func (o *Outcomes) Sample() Sample {
	s := Sample{Failed: o.failed.Load(), Buckets: map[int]int64{}}
	for i := range o.buckets {
		if n := o.buckets[i].Load(); n != 0 {
			s.Buckets[i] = n
		}
	}
	return s
}

// Add adds what was counted elsewhere.
func (s *Sample) Add(other Sample) {
	s.Failed += other.Failed
	for i, n := range other.Buckets {
		if s.Buckets == nil {
			s.Buckets = map[int]int64{}
		}
		s.Buckets[i] += n
	}
}

// Counts sums up.
func (s Sample) Counts() Counts {
	c := Counts{Failed: s.Failed}
	for _, n := range s.Buckets {
		c.Requests += n
	}
	beyond := c.Requests / 100 // so many took longer
	for i := bucketCount - 1; i >= 0 && c.Requests > 0; i-- {
		if beyond -= s.Buckets[i]; beyond < 0 {
			c.P99 = floor(i)
			break
		}
	}
	return c
}
