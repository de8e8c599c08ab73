package mayfly

import (
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Batch is messages of a queue that are handled together.
type Batch struct {
	Queue    string // name
	Messages []*Message
	Backlog  Backlog // of the queue, when the batch was made
}

// Message is a message of a Batch.
type Message struct {
	ID          string
	Sent        time.Time
	Attempts    int // how often it was delivered, this time included
	ContentType ContentType
	Body        []byte

	index int
}

// HandleQueue registers the handler of batches, which queues send whose consumer the
// Function is:
//
//	[[queues.consumers]]
//	queue = "jobs"
//
// Call it from func init, as Handle. The last call counts. When the handler returns nil,
// its messages are done with, but for those that Retry was called for. When it returns an
// error, which goes to the log, or panics, those come again about which nothing was
// decided. Messages may come more than once in any case, and in any order. What the handler
// gave to WaitUntil runs after it.
func HandleQueue(h func(*Batch) error) {
	host.HandleQueue(func() {
		b, err := batch()
		if err == nil {
			err = h(b)
		}
		if err != nil {
			failEvent(err)
		}
	})
}

func batch() (*Batch, error) {
	head, err := host.Batch()
	if err != nil {
		return nil, fail("batch", err)
	}
	b := &Batch{Queue: head.Queue, Backlog: backlogOf(head.Backlog)}
	for i, m := range head.Messages {
		body, err := host.BatchBody(i)
		if err != nil {
			return nil, fail("message", err)
		}
		b.Messages = append(b.Messages, &Message{ID: m.ID, Sent: time.UnixMilli(m.Sent).UTC(), Attempts: m.Attempts, ContentType: ContentType(m.Type), Body: body, index: i})
	}
	return b, nil
}

// Ack says that the message is done with, whatever becomes of the others. The first
// decision about a message counts.
func (m *Message) Ack() { decided(host.Ack(m.index)) }

// Retry has the message come again, after what the consumer's configuration says. After
// max_retries times it goes to the dead letter queue, or is dropped.
func (m *Message) Retry() { decided(host.Retry(m.index, host.NoDelay)) }

// RetryAfter is Retry after a delay of at most 24 hours; a longer one is those 24 hours.
func (m *Message) RetryAfter(delay time.Duration) { decided(host.Retry(m.index, bounded(delay))) }

// AckAll is Ack for all messages about which nothing else is decided.
func (b *Batch) AckAll() { decided(host.AckAll()) }

// RetryAll is Retry for all messages about which nothing else is decided.
func (b *Batch) RetryAll() { decided(host.RetryAll(host.NoDelay)) }

// RetryAllAfter is RetryAfter for all messages about which nothing else is decided.
func (b *Batch) RetryAllAfter(delay time.Duration) { decided(host.RetryAll(bounded(delay))) }

const maxDelay = 24 * time.Hour

func bounded(delay time.Duration) int64 { return max(0, min(delay, maxDelay)).Milliseconds() }

// decided logs what can't happen while a batch is handled.
func decided(err error) {
	if err != nil {
		Log(LevelError, "queue: "+err.Error())
	}
}
