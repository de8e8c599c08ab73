//go:build linux

package worker

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// batch is host.QueueBatch.
type batch struct {
	_        struct{} `cbor:",toarray"`
	Queue    text
	Backlog  backlog
	Messages []message
}

// message is host.QueueMessage, and host.QueueSend, which has no ID.
type message struct {
	_        struct{} `cbor:",toarray"`
	ID       text
	Sent     int64 // milliseconds since 1970
	Attempts int
	Type     text
	Body     []byte
	Delay    time.Duration
}

// backlog is host.QueueBacklog.
type backlog struct {
	_               struct{} `cbor:",toarray"`
	Messages, Bytes int64
	Oldest          int64 // milliseconds since 1970; 0 is none
}

func backlogOf(b host.QueueBacklog) backlog {
	return backlog{Messages: b.Messages, Bytes: b.Bytes, Oldest: millis(b.Oldest)}
}

func (b *backlog) host() host.QueueBacklog {
	return host.QueueBacklog{Messages: b.Messages, Bytes: b.Bytes, Oldest: timeOf(b.Oldest)}
}

func batchOf(b *host.QueueBatch) *batch {
	if b == nil {
		return nil
	}
	to := &batch{Queue: text(b.Queue), Backlog: backlogOf(b.Backlog)}
	for _, m := range b.Messages {
		to.Messages = append(to.Messages, message{ID: text(m.ID), Sent: m.Sent.UnixMilli(), Attempts: m.Attempts, Type: text(m.ContentType), Body: m.Body})
	}
	return to
}

func (b *batch) host() *host.QueueBatch {
	if b == nil {
		return nil
	}
	to := &host.QueueBatch{Queue: string(b.Queue), Backlog: b.Backlog.host()}
	for _, m := range b.Messages {
		to.Messages = append(to.Messages, host.QueueMessage{ID: string(m.ID), Sent: time.UnixMilli(m.Sent), Attempts: m.Attempts, ContentType: kv.ContentType(m.Type), Body: m.Body})
	}
	return to
}

// decisions are what a guest decided about a batch.
type decisions struct {
	_    struct{}   `cbor:",toarray"`
	Each []decision // as the messages, or none
	Rest decision
}

// decision is host.QueueDecision.
type decision struct {
	_           struct{} `cbor:",toarray"`
	Made, Retry bool
	Delay       time.Duration
}

func decisionsOf(b *host.QueueBatch) *decisions {
	if b == nil {
		return nil
	}
	each, rest := b.Decisions()
	to := &decisions{Rest: decision{Made: rest.Made, Retry: rest.Retry, Delay: rest.Delay}}
	for _, d := range each {
		to.Each = append(to.Each, decision{Made: d.Made, Retry: d.Retry, Delay: d.Delay})
	}
	return to
}

// apply decides as the guest did. What can't be decided is left undecided.
func (d *decisions) apply(b *host.QueueBatch) {
	if d == nil || b == nil {
		return
	}
	for i, each := range d.Each {
		switch {
		case each.Made && each.Retry:
			_ = b.Retry(i, each.Delay)
		case each.Made:
			_ = b.Ack(i)
		}
	}
	switch {
	case d.Rest.Made && d.Rest.Retry:
		_ = b.RetryAll(d.Rest.Delay)
	case d.Rest.Made:
		b.AckAll()
	}
}

// producer is a queue of the node's.
type producer struct {
	guest *guest
	name  text
}

// Send implements host.QueueProducer.
func (p producer) Send(ctx context.Context, messages []host.QueueSend) error {
	q := &question{Op: opSend, Name: p.name}
	for _, m := range messages {
		q.Messages = append(q.Messages, message{Type: text(m.ContentType), Body: m.Body, Delay: m.Delay})
	}
	_, err := p.guest.ask(ctx, q)
	return err
}

// Backlog implements host.QueueProducer.
func (p producer) Backlog(ctx context.Context) (host.QueueBacklog, error) {
	r, err := p.guest.ask(ctx, &question{Op: opBacklog, Name: p.name})
	if err != nil || r.Backlog == nil {
		return host.QueueBacklog{}, err
	}
	return r.Backlog.host(), nil
}

// queue checks and prepares what a worker wants of a queue.
func (s *session) queue(q *question) (work, error) {
	p, ok := s.c.Bindings.Queues[string(q.Name)]
	if !ok {
		return work{}, host.Errorf(host.CodeNotFound, "no queue is bound to %.64q", q.Name)
	}
	if q.Op == opBacklog {
		return simply(func(ctx context.Context) (reply, error) {
			b, err := p.Backlog(ctx)
			there := backlogOf(b)
			return reply{Backlog: &there}, err
		})
	}
	list := make([]host.QueueSend, len(q.Messages))
	for i, m := range q.Messages {
		list[i] = host.QueueSend{ContentType: kv.ContentType(m.Type), Body: m.Body, Delay: m.Delay}
	}
	if err := host.CheckSend(list); err != nil {
		return work{}, err
	}
	return simply(func(ctx context.Context) (reply, error) { return reply{}, p.Send(ctx, list) })
}
