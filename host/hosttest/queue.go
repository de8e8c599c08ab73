package hosttest

import (
	"bytes"
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/host"
)

// Queue is a host.QueueProducer that keeps what it is sent. It is safe for concurrent
// use.
type Queue struct {
	// Fail is what Send and Backlog return, without doing anything, and Blind what
	// Backlog alone does.
	Fail, Blind error

	mu   sync.Mutex // guards sent
	sent []host.QueueSend
}

// Send implements host.QueueProducer.
func (q *Queue) Send(_ context.Context, messages []host.QueueSend) error {
	if q.Fail != nil {
		return q.Fail
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range messages {
		m.Body = bytes.Clone(m.Body)
		q.sent = append(q.sent, m)
	}
	return nil
}

// Backlog implements host.QueueProducer: nothing is ever taken out.
func (q *Queue) Backlog(context.Context) (b host.QueueBacklog, err error) {
	if q.Blind != nil {
		return b, q.Blind
	}
	for _, m := range q.Sent() {
		b.Messages, b.Bytes = b.Messages+1, b.Bytes+int64(len(m.Body))
	}
	return b, q.Fail
}

// Sent is what was sent, in that order.
func (q *Queue) Sent() []host.QueueSend {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]host.QueueSend(nil), q.sent...)
}
