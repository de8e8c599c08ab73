package natsqueue

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// WithAckWait has messages of a node that is gone come again sooner.
func WithAckWait(cfg Config, d time.Duration) Config {
	cfg.ackWait = d
	return cfg
}

var fuzzed = stream{secret: []byte("secret")}

// MakeToken names a lease.
func MakeToken(reply string, until time.Time) string { return fuzzed.token(reply, until) }

// ParseToken reads the name of a lease.
func ParseToken(text string) (reply string, ok bool) { return fuzzed.parse(text, time.Now()) }

// HearLeases has a node with the leases of list, all of queue, hear something, and returns
// how many are left.
func HearLeases(queue kv.Queue, list []string, heard []byte) int {
	l := newLeases(kv.MaxLeased)
	for _, reply := range list {
		l.add(queue, reply, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	l.hear(heard)
	if n := len(l.queues[queue]); int64(n) == l.accounts[queue.Account] {
		return n
	}
	return -1 // it has lost count
}

// Replicate gives the streams the replicas that they lack.
func (s *Queues) Replicate(ctx context.Context) error { return s.replicate(ctx) }
