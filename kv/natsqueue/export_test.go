package natsqueue

import (
	"context"
	"time"
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

// Replicate gives the streams the replicas that they lack.
func (s *Queues) Replicate(ctx context.Context) error { return s.replicate(ctx) }
