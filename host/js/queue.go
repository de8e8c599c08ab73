package js

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

var queueOps = []operation{
	{"opBatch", batch},
	{"opBatchBody", batchBody},
	{"opAck", inBatch(func(b *host.QueueBatch, message int, _ time.Duration) error { return b.Ack(message) })},
	{"opRetry", inBatch((*host.QueueBatch).Retry)},
	{"opAckAll", inBatch(func(b *host.QueueBatch, _ int, _ time.Duration) error {
		b.AckAll()
		return nil
	})},
	{"opRetryAll", inBatch(func(b *host.QueueBatch, _ int, delay time.Duration) error { return b.RetryAll(delay) })},
	{"opQueueSend", queueSend},
	{"opQueueBacklog", queueBacklog},
}

var errNoBatch = &host.Error{Code: host.CodeState, Msg: "this is not the event of a queue"}

// backlog is what waits in a queue, as Workers see it.
type backlog struct {
	Count  int64 `json:"backlogCount"`
	Bytes  int64 `json:"backlogBytes"`
	Oldest int64 `json:"oldest,omitempty"` // milliseconds since 1970
}

func backlogOf(b host.QueueBacklog) backlog {
	if b.Oldest.IsZero() {
		return backlog{b.Messages, b.Bytes, 0}
	}
	return backlog{b.Messages, b.Bytes, b.Oldest.UnixMilli()}
}

// messageHead is a message without its body.
type messageHead struct {
	ID       string         `json:"id"`
	Sent     int64          `json:"sent"` // milliseconds since 1970
	Attempts int            `json:"attempts"`
	Type     kv.ContentType `json:"type"`
}

// batch gives the batch that is handled, without bodies, as JSON.
func batch(q *query) (kind, error) {
	b := q.Queue
	if b == nil {
		return 0, errNoBatch
	}
	heads := make([]messageHead, len(b.Messages))
	for i, m := range b.Messages {
		heads[i] = messageHead{m.ID, m.Sent.UnixMilli(), m.Attempts, m.ContentType}
	}
	return q.giveJSON(struct {
		Queue    string        `json:"queue"`
		Backlog  backlog       `json:"backlog"`
		Messages []messageHead `json:"messages"`
	}{b.Queue, backlogOf(b.Backlog), heads})
}

// batchBody gives the body of the message n: as text if it is one.
func batchBody(q *query) (kind, error) {
	if q.Queue == nil {
		return 0, errNoBatch
	}
	if q.n < 0 || int(q.n) >= len(q.Queue.Messages) {
		return 0, host.Errorf(host.CodeInvalid, "there is no message %d", q.n)
	}
	m := &q.Queue.Messages[q.n]
	switch {
	case m.ContentType != kv.ContentText && m.ContentType != kv.ContentJSON:
		return q.giveBytes(m.Body)
	case utf8.Valid(m.Body):
		return q.giveText(m.Body)
	}
	return q.giveText(replaceMalformed(m.Body))
}

// inBatch is an operation that decides about the message n, or all of them; text is
// the delay in seconds, or empty.
func inBatch(decide func(b *host.QueueBatch, message int, delay time.Duration) error) func(*query) (kind, error) {
	return func(q *query) (kind, error) {
		if q.Queue == nil {
			return 0, errNoBatch
		}
		delay := host.NoDelay
		if len(q.text) > 0 {
			seconds, err := strconv.ParseInt(string(q.text[:min(len(q.text), 32)]), 10, 32)
			if err != nil || seconds < 0 {
				return 0, host.Errorf(host.CodeInvalid, "delaySeconds is out of range: 0 to %d are allowed", kv.MaxDelay/time.Second)
			}
			delay = time.Duration(seconds) * time.Second
		}
		return noValue, decide(q.Queue, int(q.n), delay)
	}
}

// sending is what text says of messages: which part of data is the body of each.
type sending struct {
	Binding  string `json:"binding"`
	Messages []struct {
		Type  kv.ContentType `json:"type"`
		Size  int            `json:"size"`
		Delay *int64         `json:"delay"` // seconds
	} `json:"messages"`
}

// messages are those that text describes. Their bodies are views of data.
func (s *sending) messages(data []byte) ([]host.QueueSend, error) {
	if len(s.Messages) > kv.MaxBatch {
		return nil, host.Errorf(host.CodeTooLarge, "batch message count of %d exceeds limit of %d", len(s.Messages), kv.MaxBatch)
	}
	list := make([]host.QueueSend, len(s.Messages))
	for i, m := range s.Messages {
		if m.Size < 0 || m.Size > len(data) {
			return nil, host.Errorf(host.CodeInvalid, "a message is longer than what was given")
		}
		list[i] = host.QueueSend{ContentType: m.Type, Body: data[:m.Size:m.Size], Delay: host.NoDelay}
		if data = data[m.Size:]; m.Delay != nil {
			list[i].Delay = time.Duration(max(-2, min(*m.Delay, 1e6))) * time.Second
		}
	}
	return list, host.CheckSend(list)
}

// queueSend sends messages; text is a sending as JSON, data are the bodies. The result is
// the backlog as JSON.
func queueSend(q *query) (kind, error) {
	var s sending
	if err := q.options(&s); err != nil {
		return 0, err
	}
	producer, err := q.producer(s.Binding)
	if err != nil {
		return 0, err
	}
	size := len(q.data)
	if err := q.Hold(size); err != nil {
		return 0, err
	}
	messages, err := s.messages(append([]byte(nil), q.data...))
	if err == nil {
		var k kind
		k, err = q.storeStart("queue", "send", q.StartInStore, func(ctx context.Context, j *job) {
			defer j.call.Release(size)
			if j.err = producer.Send(ctx, messages); j.err != nil {
				return
			}
			if j.backlog(ctx, producer); j.err != nil { // what was sent is sent all the same
				j.value, j.err = []byte(`{"backlogCount":0,"backlogBytes":0}`), nil
			}
		})
		if err == nil {
			return k, nil
		}
	}
	q.Release(size)
	return 0, err
}

// producer is the queue that is bound to a name.
func (q *query) producer(binding string) (host.QueueProducer, error) {
	p, ok := q.Bindings.Queues[binding]
	if !ok {
		return nil, host.Errorf(host.CodeNotFound, "no queue is bound to %.64q", binding)
	}
	return p, nil
}

// queueBacklog looks at the queue that is bound to text. The result is JSON.
func queueBacklog(q *query) (kind, error) {
	producer, err := q.producer(string(q.text[:min(len(q.text), maxOptions)]))
	if err != nil {
		return 0, err
	}
	return q.storeStart("queue", "metrics", q.StartInStore, func(ctx context.Context, j *job) { j.backlog(ctx, producer) })
}

func (j *job) backlog(ctx context.Context, producer host.QueueProducer) {
	var b host.QueueBacklog
	if b, j.err = producer.Backlog(ctx); j.err == nil {
		j.value, j.err = json.Marshal(backlogOf(b))
	}
}
