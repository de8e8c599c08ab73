package host

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// QueueProducer sends messages to a queue. It is safe for concurrent use.
type QueueProducer interface {
	// Send returns when all messages are durable. Those without a Delay of their own get
	// that of the binding or the queue. The error becomes public by PublicError.
	Send(ctx context.Context, messages []QueueSend) error
	// Backlog says what waits in the queue. The error becomes public by PublicError.
	Backlog(ctx context.Context) (QueueBacklog, error)
}

// QueueBacklog is what waits in a queue.
type QueueBacklog struct {
	Messages int64
	Bytes    int64     // of their bodies
	Oldest   time.Time // when the oldest was sent; zero if there is none
}

// QueueSend is a message as a guest sends it. Body is not kept.
type QueueSend struct {
	ContentType kv.ContentType
	Body        []byte
	Delay       time.Duration // NoDelay: none was given
}

// CheckSend refuses messages that can't be sent together.
func CheckSend(messages []QueueSend) error {
	list := make([]kv.Message, len(messages))
	for i, m := range messages {
		list[i] = kv.Message{ContentType: m.ContentType, Body: m.Body, Delay: m.Delay}
		if m.Delay == NoDelay {
			list[i].Delay = 0
		}
	}
	return kv.CheckMessages(list)
}

// NoDelay stands for a delay that nobody gave.
const NoDelay time.Duration = -1

// QueueMessage is a message as a consumer gets it.
type QueueMessage struct {
	ID          string
	Sent        time.Time
	Attempts    int // 1 is the first
	ContentType kv.ContentType
	Body        []byte
}

// QueueBatch is the event of a queue: messages that a Function is given together, and
// what it decides about them. It belongs to the goroutine that runs the guest, until
// the Invocation has ended.
type QueueBatch struct {
	Queue    string // name
	Messages []QueueMessage
	Backlog  QueueBacklog // of the queue, when the batch was made

	decided []QueueDecision // as Messages, once one of them was decided
	rest    QueueDecision   // of the messages that were not decided
}

// QueueDecision says what becomes of a message.
type QueueDecision struct {
	Made  bool
	Retry bool          // otherwise it is acknowledged
	Delay time.Duration // of a retry; NoDelay: the consumer's own
}

// Ack acknowledges a message, whatever becomes of the Invocation. As on Cloudflare, the
// first decision about a message counts, and later ones are ignored:
// https://developers.cloudflare.com/queues/configuration/batching-retries/#explicit-acknowledgement-and-retries
func (b *QueueBatch) Ack(message int) error {
	return b.decide(message, QueueDecision{Made: true})
}

// Retry has a message delivered again, after delay or NoDelay.
func (b *QueueBatch) Retry(message int, delay time.Duration) error {
	return b.decide(message, QueueDecision{Made: true, Retry: true, Delay: delay})
}

// AckAll acknowledges the messages about which nothing else is decided. The first
// call of it or RetryAll counts.
func (b *QueueBatch) AckAll() { b.decideRest(QueueDecision{Made: true}) }

// RetryAll has the messages delivered again about which nothing else is decided.
func (b *QueueBatch) RetryAll(delay time.Duration) error {
	if err := checkRetryDelay(delay); err != nil {
		return err
	}
	b.decideRest(QueueDecision{Made: true, Retry: true, Delay: delay})
	return nil
}

func (b *QueueBatch) decideRest(d QueueDecision) {
	if !b.rest.Made {
		b.rest = d
	}
}

func (b *QueueBatch) decide(message int, d QueueDecision) error {
	if message < 0 || message >= len(b.Messages) {
		return Errorf(CodeInvalid, "message %d: the batch has %d", message, len(b.Messages))
	}
	if err := checkRetryDelay(d.Delay); err != nil {
		return err
	}
	if b.decided == nil {
		b.decided = make([]QueueDecision, len(b.Messages))
	}
	if !b.decided[message].Made {
		b.decided[message] = d
	}
	return nil
}

func checkRetryDelay(delay time.Duration) error {
	if delay == NoDelay {
		return nil
	}
	return kv.CheckDelay(delay)
}

// Decisions is what the guest decided about each message, and about the rest.
func (b *QueueBatch) Decisions() (each []QueueDecision, rest QueueDecision) {
	return b.decided, b.rest
}

// Decision is what becomes of a message after an Invocation that ended well, or did
// not: then what was not decided is retried. As on Cloudflare, AckAll counts whatever
// becomes of the Invocation:
// https://developers.cloudflare.com/queues/configuration/javascript-apis/#messagebatch
func (b *QueueBatch) Decision(message int, well bool) QueueDecision {
	if b.decided != nil && b.decided[message].Made {
		return b.decided[message]
	}
	switch {
	case b.rest.Made:
		return b.rest
	case !well:
		return QueueDecision{Made: true, Retry: true, Delay: NoDelay}
	}
	return QueueDecision{Made: true}
}
