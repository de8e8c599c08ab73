package ratelimit

import (
	"sync"
	"time"
)

// shard is the counts of some keys.
type shard struct {
	mu     sync.Mutex // guards counts
	counts map[keyID]counts
}

// counts are the events of a key.
type counts struct {
	period   time.Duration
	window   int64 // number of the period that now has its events in
	now      int64
	previous int64 // of the period before
}

// count counts one event unless it is beyond the limit. at is since the beginning
// of all periods.
func (s *shard) count(id keyID, at, period time.Duration, limit int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.counts[id]
	c.period = period
	c.move(int64(at / period))
	if c.estimate(at%period) >= limit {
		return false
	}
	c.now++
	if !known && len(s.counts) >= shardKeys {
		s.makeRoom(at)
	}
	s.counts[id] = c
	return true
}

// move goes on to a window.
func (c *counts) move(window int64) {
	switch window - c.window {
	case 0:
		return
	case 1:
		c.previous = c.now
	default:
		c.previous = 0
	}
	c.window, c.now = window, 0
}

// estimate is how many events there were in the period that ends now, of which
// passed lies in the window. It is rounded up. Milliseconds keep the product small.
func (c *counts) estimate(passed time.Duration) int64 {
	rest, whole := (c.period - passed).Milliseconds(), c.period.Milliseconds()
	return c.now + (c.previous*rest+whole-1)/whole
}

// sampled is how many keys are looked at to make room for another one.
const sampled = 16

// makeRoom forgets a key: one that does not count any more, or else that with the
// fewest events of some. Go begins at a random place of a map.
func (s *shard) makeRoom(at time.Duration) {
	var victim keyID
	fewest, looked := int64(-1), 0
	for id, c := range s.counts {
		if c.over(at) {
			delete(s.counts, id)
			fewest = 0
		} else if n := c.now + c.previous; fewest < 0 || n < fewest {
			victim, fewest = id, n
		}
		if looked++; looked == sampled {
			break
		}
	}
	if len(s.counts) >= shardKeys {
		delete(s.counts, victim)
	}
}

// over says whether nothing of the counts counts any more.
func (c *counts) over(at time.Duration) bool { return int64(at/c.period) > c.window+1 }
