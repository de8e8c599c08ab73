package natsqueue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// maxRounds is how often a copy reads on because messages were moved to the end of the
// stream, or sent, while it was made.
const maxRounds = 20

// copier reads a stream from its beginning. A message that is given back meanwhile, or
// becomes due, moves to the end, so it reads on until there is nothing new.
type copier struct {
	*Queues
	q       kv.Queue
	js      jetstream.Stream
	next    uint64 // sequence
	delayed []delayedMessage
	moved   map[string]*kv.StoredMessage // by the ids of delayed; nil until one is not where it was
}

type delayedMessage struct {
	due      int64 // milliseconds since 1970
	id       string
	sequence uint64
}

// CopyOut implements kv.QueueCopier. What is on lease counts as often delivered as it was
// given back before.
func (s *Queues) CopyOut(ctx context.Context, q kv.Queue, do func(kv.StoredMessage) error) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	kv.CheckQueue(q)
	found, err := s.js.Stream(ctx, s.streamName(q))
	if err == nil {
		c := &copier{Queues: s, q: q, js: found}
		err = c.copy(ctx, do)
	}
	return none(failure(ctx, "copy queue", err))
}

func (c *copier) copy(ctx context.Context, do func(kv.StoredMessage) error) error {
	if err := c.readOn(ctx, do); err != nil {
		return err
	}
	slices.SortFunc(c.delayed, func(a, b delayedMessage) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.id, b.id))
	})
	for _, d := range c.delayed {
		m, ok, err := c.delayedOf(ctx, d)
		if err != nil {
			return err
		}
		if !ok { // it was acknowledged
			continue
		}
		m.Due = time.UnixMilli(d.due)
		if err := do(m); err != nil {
			return err
		}
	}
	return nil
}

// readOn reads to the end of the stream. What is due is given to due, until moved is there.
func (c *copier) readOn(ctx context.Context, due func(kv.StoredMessage) error) error {
	for range maxRounds {
		info, err := c.js.Info(ctx)
		if err != nil {
			return err
		}
		if c.next > info.State.LastSeq {
			return nil
		}
		if err := c.readTo(ctx, info.State.LastSeq, due); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) readTo(ctx context.Context, last uint64, due func(kv.StoredMessage) error) error {
	for c.next <= last {
		raw, err := c.js.GetMsg(ctx, c.next, jetstream.WithGetMsgSubject(c.prefix(c.q)+">"))
		if jstream.CodeOf(err) == codeNoMessage {
			c.next = last + 1
			return nil
		}
		if err != nil {
			return err
		}
		c.next = raw.Sequence + 1
		if err := c.read(raw, due); err != nil {
			return err
		}
	}
	return nil
}

// read gives a message to due, or remembers when it will be.
func (c *copier) read(raw *jetstream.RawStreamMsg, due func(kv.StoredMessage) error) error {
	m, err := storedOf(raw)
	if err != nil {
		c.cfg.Logger.Warn("a message of a queue is malformed, and not copied", "account", c.q.Account, "queue", c.q.ID, "sequence", raw.Sequence, "err", err)
		return nil
	}
	switch {
	case c.moved != nil:
		if _, is := c.moved[m.ID]; is {
			c.moved[m.ID] = &m
		}
		return nil
	case m.Due.IsZero():
		return due(m)
	}
	c.delayed = append(c.delayed, delayedMessage{m.Due.UnixMilli(), m.ID, raw.Sequence})
	return nil
}

// delayedOf finds a message that was not due when it was read first.
func (c *copier) delayedOf(ctx context.Context, d delayedMessage) (m kv.StoredMessage, ok bool, err error) {
	raw, err := c.js.GetMsg(ctx, d.sequence)
	if err == nil {
		m, err = storedOf(raw)
		return m, err == nil, err
	}
	if jstream.CodeOf(err) != codeNoMessage {
		return m, false, err
	}
	if c.moved == nil {
		c.moved = map[string]*kv.StoredMessage{}
		for _, other := range c.delayed {
			c.moved[other.id] = nil
		}
	}
	if c.moved[d.id] == nil {
		if err := c.readOn(ctx, nil); err != nil { // it has become due, or was given back since
			return m, false, err
		}
	}
	if c.moved[d.id] == nil {
		return m, false, nil
	}
	return *c.moved[d.id], true, nil
}

// scheduled begins the header of when a message is due.
const scheduled = "@at "

func storedOf(raw *jetstream.RawStreamMsg) (m kv.StoredMessage, err error) {
	h, err := headerOf(raw.Header, raw.Data)
	if err != nil {
		return m, err
	}
	m = kv.StoredMessage{ID: h.id, Sent: h.sent, Expires: h.expires, Attempts: h.attempts, ContentType: h.contentType, Body: raw.Data}
	if strings.HasSuffix(raw.Subject, "."+due) {
		return m, nil
	}
	at, ok := strings.CutPrefix(raw.Header.Get("Nats-Schedule"), scheduled)
	if !ok {
		return m, errMalformed
	}
	if m.Due, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return m, fmt.Errorf("when it is due: %w", err)
	}
	return m, nil
}

// CopyIn implements kv.QueueCopier.
func (s *Queues) CopyIn(ctx context.Context, q kv.Queue, list []kv.StoredMessage) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	now := time.Now()
	var all []kv.StoredMessage // in their order: those that are due one after the other
	for _, m := range list {
		if m.Expires.After(now) {
			all = append(all, m)
		}
	}
	return failure(ctx, "copy into queue", each(len(all), func(i int) error {
		m := all[i]
		h := header{id: m.ID, sent: m.Sent, expires: m.Expires, contentType: m.ContentType, attempts: m.Attempts}
		return s.publish(ctx, q, sending{h.message(m.Body), m.Due.Sub(now)})
	}))
}
