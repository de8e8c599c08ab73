package natsqueue

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Patient is cfg for Queues that wait so long for an answer: a busy machine is no server
// that is away.
func Patient(cfg Config, wait time.Duration) Config {
	if cfg.patience == 0 {
		cfg.patience = wait
	}
	return cfg
}

// AckWait is how long it takes until what a node has comes again that is gone.
const AckWait = ackWait

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
