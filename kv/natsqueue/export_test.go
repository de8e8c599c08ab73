package natsqueue

import "time"

// WithAckWait has messages of a node that is gone come again sooner.
func WithAckWait(cfg Config, d time.Duration) Config {
	cfg.ackWait = d
	return cfg
}
