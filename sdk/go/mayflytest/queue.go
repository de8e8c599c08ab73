package mayflytest

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// ErrQueue is what RunQueue returns, with the reason, when the handler failed.
var ErrQueue = errors.New("the batch failed")

// Queue is a queue that a handler may send to. Nothing is taken out of it but by Take.
// Its methods may be called from any goroutine.
type Queue struct {
	node *Node
	sent []mayfly.Outgoing // guarded by node.mu
}

// Queue returns the queue bound to a name. The first call creates the binding.
func (n *Node) Queue(binding string) *Queue {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.queues[binding] == nil {
		if n.queues == nil {
			n.queues = map[string]*Queue{}
		}
		n.queues[binding] = &Queue{node: n}
	}
	return n.queues[binding]
}

// Take returns what was sent, in that order, and forgets it.
func (q *Queue) Take() []mayfly.Outgoing {
	q.node.mu.Lock()
	defer q.node.mu.Unlock()
	sent := q.sent
	q.sent = nil
	return sent
}

// OpenQueue implements host.Node.
func (i *invocation) OpenQueue(binding string) (host.Queue, error) {
	i.node.mu.Lock()
	defer i.node.mu.Unlock()
	q := i.node.queues[binding]
	if q == nil {
		return nil, &host.Error{Code: host.NotFound}
	}
	return openQueue{q}, nil
}

// openQueue is a Queue as host.Queue.
type openQueue struct{ *Queue }

// What a node takes at a time.
const (
	maxMessages  = 100
	maxMessage   = 128_000 // bytes
	maxBatchSize = 256_000
	maxDelay     = 24 * time.Hour
)

func (q openQueue) Send(messages []host.Outgoing) error {
	if len(messages) == 0 || len(messages) > maxMessages {
		return &host.Error{Code: host.Invalid, Message: "1 to 100 messages are sent together"}
	}
	total := 0
	for _, m := range messages {
		total += len(m.Body)
		if len(m.Body) > maxMessage || total > maxBatchSize {
			return &host.Error{Code: host.TooLarge, Message: "a message has at most 128,000 bytes, and all together 256,000"}
		}
		if m.Delay > maxDelay.Milliseconds() {
			return &host.Error{Code: host.Invalid, Message: "a delay is at most 24 hours"}
		}
	}
	q.node.mu.Lock()
	defer q.node.mu.Unlock()
	for _, m := range messages {
		q.sent = append(q.sent, mayfly.Outgoing{ContentType: mayfly.ContentType(m.Type), Body: bytes.Clone(m.Body), Delay: delayOf(m.Delay)})
	}
	return nil
}

// delayOf is a delay as a handler gave it.
func delayOf(millis int64) time.Duration {
	switch millis {
	case host.NoDelay:
		return 0
	case 0:
		return -1
	}
	return time.Duration(millis) * time.Millisecond
}

func (q openQueue) Backlog() (b host.Backlog, err error) {
	q.node.mu.Lock()
	defer q.node.mu.Unlock()
	for _, m := range q.sent {
		b.Messages, b.Bytes = b.Messages+1, b.Bytes+int64(len(m.Body))
	}
	return b, nil
}

// Decision is what became of a message.
type Decision struct {
	Retry bool // otherwise it is done with
	// Delay is that of RetryAfter and RetryAllAfter; negative if none was given.
	Delay time.Duration
}

// RunQueue runs the handler that mayfly.HandleQueue registered last with a batch of
// messages, as a queue does, and then what it gave to mayfly.WaitUntil. Messages without
// an ID get one, without a time now, and without Attempts 1. It returns what became of
// each, also where the handler failed.
func (n *Node) RunQueue(queue string, messages ...mayfly.Message) ([]Decision, error) {
	b := &batch{event: n.newEvent("/__queue"), queue: queue, messages: slices.Clone(messages), decided: make([]*Decision, len(messages))}
	err := b.run(func() { host.InvokeQueue(b) }, ErrQueue)
	all := make([]Decision, len(messages))
	for i, d := range b.decided {
		switch {
		case d != nil:
			all[i] = *d
		case b.rest != nil:
			all[i] = *b.rest
		case err != nil:
			all[i] = Decision{Retry: true, Delay: host.NoDelay}
		}
	}
	return all, err
}

// batch is the event of a queue.
type batch struct {
	*event
	queue    string
	messages []mayfly.Message
	decided  []*Decision
	rest     *Decision
}

func (b *batch) Batch() (host.BatchHead, error) {
	head := host.BatchHead{Queue: b.queue}
	for i, m := range b.messages {
		if m.ID == "" {
			m.ID = "message-" + strconv.Itoa(i+1)
		}
		if m.Sent.IsZero() {
			m.Sent = time.Now()
		}
		head.Messages = append(head.Messages, host.Message{ID: m.ID, Type: uint32(m.ContentType), Attempts: max(1, m.Attempts), Size: len(m.Body), Sent: m.Sent.UnixMilli()})
	}
	return head, nil
}

func (b *batch) BatchBody(i int) ([]byte, error) { return bytes.Clone(b.messages[i].Body), nil }

func (b *batch) Ack(i int) error { return b.decide(&b.decided[i], Decision{}) }

func (b *batch) Retry(i int, delay int64) error { return b.decide(&b.decided[i], again(delay)) }

func (b *batch) AckAll() error { return b.decide(&b.rest, Decision{}) }

func (b *batch) RetryAll(delay int64) error { return b.decide(&b.rest, again(delay)) }

func again(delay int64) Decision {
	if delay == host.NoDelay {
		return Decision{Retry: true, Delay: -1}
	}
	return Decision{Retry: true, Delay: time.Duration(delay) * time.Millisecond}
}

// decide keeps the first decision.
func (b *batch) decide(to **Decision, d Decision) error {
	if *to == nil {
		*to = &d
	}
	return nil
}
