package kv

import (
	"context"
	"time"
)

// StoredMessage is a message as it waits in a queue.
type StoredMessage struct {
	ID            string // 32 hexadecimal digits in lower case
	Sent, Expires time.Time
	Due           time.Time // zero: when its turn comes
	Attempts      int       // deliveries that are over, as far as they were recorded
	ContentType   ContentType
	Body          []byte
}

// QueueCopier is Queues that keep messages elsewhere than in a Store, so that a copy of
// that does not have them.
type QueueCopier interface {
	// CopyOut calls do for all messages of a queue, until do returns an error: for those
	// that are due or on lease in their order, and then for the others in the order in
	// which they are due, of those at the same millisecond in that of their ids. Messages
	// may come and go meanwhile. One that is given back meanwhile may come twice; it is
	// not left out, unless that happens again and again.
	CopyOut(ctx context.Context, q Queue, do func(StoredMessage) error) error
	// CopyIn puts messages into a queue, whatever room there is. Those that have expired
	// are left out.
	CopyIn(ctx context.Context, q Queue, list []StoredMessage) error
}
