package mayflytest

import (
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// RateLimit lets so many events of each key through in a period. Unlike a node's,
// the first event of a key begins the period, so that tests can count on it.
type RateLimit struct {
	Limit  int
	Period time.Duration // 0: it never ends
}

type rateKey struct{ binding, key string }

type rateCount struct {
	began time.Time
	n     int
}

// RateLimit implements host.Node.
func (i *invocation) RateLimit(binding, key string) (bool, error) {
	limit, ok := i.node.RateLimits[binding]
	if !ok {
		return false, &host.Error{Code: host.NotFound}
	}
	if len(key) > 512 {
		return false, &host.Error{Code: host.TooLarge, Message: "key is longer than 512 bytes"}
	}
	return i.node.count(rateKey{binding, key}, limit), nil
}

func (n *Node) count(key rateKey, limit RateLimit) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, now := n.counts[key], time.Now()
	if c.began.IsZero() || limit.Period > 0 && now.Sub(c.began) >= limit.Period {
		c = rateCount{began: now}
	}
	if c.n >= limit.Limit {
		return false
	}
	c.n++
	if n.counts == nil {
		n.counts = map[rateKey]rateCount{}
	}
	n.counts[key] = c
	return true
}
