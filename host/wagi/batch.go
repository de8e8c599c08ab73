package wagi

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// batchJSON is a batch as a program reads it: as pull consumers get messages, see
// https://developers.cloudflare.com/queues/configuration/pull-consumers/.
type batchJSON struct {
	Queue    string        `json:"queue"`
	Messages []messageJSON `json:"messages"`
}

type messageJSON struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp_ms"` // since 1970
	Attempts  int    `json:"attempts"`
	Type      string `json:"content_type"`
	// Body is a string: the text, or the bytes in base64.
	Body any `json:"body"`
}

// batch is the batch as JSON. Without memory for it, there is none, and the event has
// failed.
func (p *program) batch() []byte {
	b := batchJSON{Queue: p.call.Queue.Queue, Messages: []messageJSON{}}
	size := 0
	for _, m := range p.call.Queue.Messages {
		size += 2 * len(m.Body)
		b.Messages = append(b.Messages, messageJSON{m.ID, m.Sent.UnixMilli(), m.Attempts, string(m.ContentType), bodyOf(m)})
	}
	if err := p.call.Hold(size); err != nil {
		p.refused = err
		return nil
	}
	data, err := json.Marshal(b)
	if err != nil {
		p.refused = err
	}
	return data
}

// bodyOf is a string, or bytes, which become base64.
func bodyOf(m host.QueueMessage) any {
	if (m.ContentType == kv.ContentText || m.ContentType == kv.ContentJSON) && utf8.Valid(m.Body) {
		return string(m.Body)
	}
	return m.Body
}

// decisions are what a program may say about single messages, as pull consumers do.
type decisions struct {
	Acks    []decision `json:"acks"`
	Retries []decision `json:"retries"`
}

type decision struct {
	ID    string   `json:"id"`
	Delay *float64 `json:"delay_seconds"`
}

// decide takes what a program says in an answer of JSON.
func (p *program) decide(a *Answer) error {
	kind, _ := a.Headers.Get("content-type")
	if !strings.HasPrefix(string(kind), "application/json") {
		return nil
	}
	var d decisions
	if err := json.Unmarshal(a.Body, &d); err != nil {
		return host.Errorf(host.CodeState, "the program's answer about the batch can't be read: %v", err)
	}
	index := map[string]int{}
	for i, m := range p.call.Queue.Messages {
		index[m.ID] = i
	}
	for _, each := range d.Acks {
		if err := p.each(index, each.ID, func(b *host.QueueBatch, i int) error { return b.Ack(i) }); err != nil {
			return err
		}
	}
	for _, each := range d.Retries {
		if err := p.each(index, each.ID, func(b *host.QueueBatch, i int) error { return b.Retry(i, each.delay()) }); err != nil {
			return err
		}
	}
	return nil
}

func (d decision) delay() time.Duration {
	if d.Delay == nil {
		return host.NoDelay
	}
	const most = 1e6 // is refused, and no overflow
	return time.Duration(max(-2, min(*d.Delay, most)) * float64(time.Second))
}

// each decides about the message of an id.
func (p *program) each(index map[string]int, id string, decide func(*host.QueueBatch, int) error) error {
	i, ok := index[id]
	if !ok {
		return host.Errorf(host.CodeState, "the program's answer names the message %.64q, which the batch has not", id)
	}
	return decide(p.call.Queue, i)
}
