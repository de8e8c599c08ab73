package kv

import (
	"context"
	"errors"
	"time"
)

// Queues keeps messages in queues until consumers acknowledge them: at least once
// each, in no promised order. A queue is there as soon as somebody uses it. All methods
// may be called concurrently, and by several nodes of a cluster. A context that ended
// stops a call before it changes anything (ctx.Err()). After Close, methods return
// ErrClosed.
type Queues interface {
	// Send puts messages into a queue and returns their ids, in the same order. When it
	// returns nil, all of them are durable; otherwise some may be. The error is a
	// *LimitError for what CheckMessages refuses and where a queue or an account has
	// no more room, or ErrNoSpace.
	Send(ctx context.Context, q Queue, messages []Message, opts SendOptions) (ids []string, err error)
	// Receive leases messages that are due, whose bodies have MaxBatchBytes together at
	// most. None is no error.
	Receive(ctx context.Context, q Queue, opts ReceiveOptions) ([]Delivery, error)
	// Settle ends leases. Those that are over already are returned as stale, in the
	// order given: nothing was done for them, and their messages may have been
	// delivered again. An implementation may count a message that was acknowledged
	// just before among those that are settled. When it returns nil, what it did is
	// durable; otherwise it may have been done in part, and may be called again.
	Settle(ctx context.Context, q Queue, list []Settlement) (stale []string, err error)
	// Stats counts what waits in a queue.
	Stats(ctx context.Context, q Queue) (QueueStats, error)
	// Purge removes all messages that were sent before, the leased ones included.
	Purge(ctx context.Context, q Queue) error
	// Delete is Purge, and forgets the queue. Who waits for its messages, or sends some at
	// that time, may get ErrNoQueue.
	Delete(ctx context.Context, q Queue) error
	// List returns the queues that are there, in no order: all that have messages, and
	// perhaps some that are empty.
	List(ctx context.Context) ([]Queue, error)
	// Close ends every Receive that waits, and releases what the implementation
	// holds. Messages that are leased are available again to the next Queues at once,
	// or when their leases end. Closing again does nothing.
	Close() error
}

// ErrNoQueue: a queue was deleted while somebody used it.
var ErrNoQueue = errors.New("queue was deleted")

// Queue names a queue: an account, and the id that the queue has for ever. Both are
// letters, digits, dashes and underscores, at most 64 bytes.
type Queue struct{ Account, ID string }

// Message is what is sent. Its Body is not kept.
type Message struct {
	ContentType ContentType
	Body        []byte
	Delay       time.Duration // until it is due: 0 to MaxDelay
}

// ContentType says what a Body is. The names are Cloudflare's:
// https://developers.cloudflare.com/queues/configuration/javascript-apis/#queuescontenttype
type ContentType string

const (
	ContentJSON  ContentType = "json"
	ContentText  ContentType = "text"
	ContentBytes ContentType = "bytes"
	ContentV8    ContentType = "v8" // what the structured clone algorithm of V8 writes; opaque to a node
)

// SendOptions qualify a Send.
type SendOptions struct {
	// Retention is how long the messages are kept at most, from now on: MinRetention
	// to MaxRetention; 0 is DefaultRetention.
	Retention time.Duration
}

// ReceiveOptions say how many messages are leased, and for how long.
type ReceiveOptions struct {
	Max   int           // most messages: 1 to MaxBatch
	Lease time.Duration // how long they are leased: a second to MaxLease
	// Wait is how long to wait for the first message; 0 waits for none.
	Wait time.Duration
	// Linger is how much longer to wait, once there is a message, for as many as there
	// may be; 0 takes what is there.
	Linger time.Duration
	// Bounded is for those who may keep messages for as long as Lease: while an account
	// has MaxLeased on lease, in a cluster from this node, it is a *LimitError, and
	// nothing is leased. Others are only counted.
	Bounded bool
}

// Delivery is a message on lease. Its Body belongs to the caller.
type Delivery struct {
	ID          string // of the message: the same each time
	Sent        time.Time
	ContentType ContentType
	Body        []byte
	// Attempts is how often it was delivered, this time included: 1 or more. A
	// delivery that ended with the process counts.
	Attempts int
	Lease    string // for Settle, by any node; at most 512 bytes of printable ASCII
}

// Settlement ends a lease. The zero value of what follows Lease acknowledges: the
// message is removed for good.
type Settlement struct {
	Lease string
	Retry bool          // the message is to be delivered again
	Delay time.Duration // with Retry, until it is due: 0 to MaxDelay
	// Unseen says, with Retry, that nobody has looked at the message: the delivery is
	// not counted among the attempts.
	Unseen bool
}

// QueueStats is how much there is in a queue.
type QueueStats struct {
	Messages int64 // not acknowledged: due, delayed and leased
	Bytes    int64 // of their bodies; an implementation may count what it stores beside them
	Leased   int64 // messages that are on lease
	// Oldest is when the message was sent that is due first; zero if there is none.
	Oldest time.Time
}
