package storequeue

import (
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Writer makes the entries that a Store has of a queue, of messages in the order of
// kv.QueueCopier: the entries come in that of their keys.
type Writer struct {
	prefix string // of all keys
	last   string
	turn   int64
	do     func(kv.Entry) error
}

// NewWriter makes a Writer for a queue; prefix is as in Config.
func NewWriter(prefix string, q kv.Queue, do func(kv.Entry) error) *Writer {
	return &Writer{prefix: prefix + prefixOf(q) + messages, do: do}
}

// Write writes a message. What is due gets a time long ago, so that it keeps its turn.
func (w *Writer) Write(m kv.StoredMessage) error {
	w.turn++
	due := time.UnixMilli(w.turn)
	if !m.Due.IsZero() {
		due = m.Due
	}
	key := w.prefix + keyOf(due, m.ID)
	if key <= w.last { // it was moved to where it was
		return nil
	}
	w.last = key
	h := header{sent: m.Sent, expires: m.Expires, attempts: m.Attempts, size: int64(len(m.Body)), contentType: m.ContentType}
	return w.do(kv.Entry{Key: key, Value: m.Body, Metadata: h.encode()})
}

// Reader reads messages of the entries that a Store has of queues, in the order of their
// keys.
type Reader struct {
	prefix   string
	queue    string         // of which attempts are
	attempts map[string]int // of messages that were on lease, by key
}

// NewReader makes a Reader; prefix is as in Config.
func NewReader(prefix string) *Reader { return &Reader{prefix: prefix} }

// Read reads an entry; ok is false where it is no message. An error is kv.ErrCorrupt.
func (r *Reader) Read(e kv.Entry) (q kv.Queue, m kv.StoredMessage, ok bool, err error) {
	parts := strings.SplitN(strings.TrimPrefix(e.Key, r.prefix), "/", 3) // account, queue, what is below it
	if len(parts) < 3 {
		return q, m, false, nil
	}
	q = kv.Queue{Account: parts[0], ID: parts[1]}
	if !kv.IsQueue(q) {
		return q, m, false, fmt.Errorf("%q names no queue: %w", e.Key, kv.ErrCorrupt)
	}
	if name := prefixOf(q); r.queue != name {
		r.queue, r.attempts = name, map[string]int{}
	}
	if strings.HasPrefix(parts[2], leased) {
		return q, m, false, r.lease(e.Value)
	}
	key, ok := strings.CutPrefix(parts[2], messages)
	if !ok {
		return q, m, false, nil
	}
	it, err := readItem(key, e.Metadata)
	if err == nil && len(e.Value) > kv.MaxMessage {
		err = errHeader
	}
	if err != nil {
		return q, m, false, fmt.Errorf("message %s of queue %s: %w: %w", key, r.queue, err, kv.ErrCorrupt)
	}
	m = kv.StoredMessage{ID: idOf(key), Sent: it.sent, Expires: it.expires, Due: dueOf(key), Attempts: max(it.attempts, r.attempts[key]),
		ContentType: it.contentType, Body: e.Value}
	return q, m, true, nil
}

// lease notes the deliveries that the record of a lease stands for.
func (r *Reader) lease(value []byte) error {
	record, err := decodeLease(value)
	for i, key := range record.keys {
		r.attempts[key] = record.attempts[i]
	}
	return err
}
