package natsqueue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// Headers of messages.
const (
	idHeader       = "Mayfly-Id"
	sentHeader     = "Mayfly-Sent" // milliseconds since 1970
	typeHeader     = "Mayfly-Type"
	attemptsHeader = "Mayfly-Attempts" // before the message was published, which it is again for a retry that waits
	expiresHeader  = "Mayfly-Expires"  // milliseconds since 1970
)

// header is what a message says of itself.
type header struct {
	id            string
	sent, expires time.Time
	contentType   kv.ContentType
	attempts      int // that are over, but those that NATS has counted
}

var errMalformed = errors.New("it has no headers of a queue, or a body that is too long")

// headerOf reads the headers of a message; those of others than Send have an error.
func headerOf(from nats.Header, body []byte) (h header, err error) {
	sent, err1 := strconv.ParseInt(from.Get(sentHeader), 10, 64)
	expires, err2 := strconv.ParseInt(from.Get(expiresHeader), 10, 64)
	h = header{id: from.Get(idHeader), sent: time.UnixMilli(sent), expires: time.UnixMilli(expires), contentType: kv.ContentType(from.Get(typeHeader))}
	h.attempts, _ = strconv.Atoi(from.Get(attemptsHeader)) // none: 0
	m := kv.Message{ContentType: h.contentType, Body: body}
	if !isID(h.id) || err1 != nil || err2 != nil || h.attempts < 0 || m.Check() != nil {
		return h, errMalformed
	}
	return h, nil
}

// message is one with these headers, which the servers take once. Its subject comes later.
func (h header) message(body []byte) *nats.Msg {
	m := &nats.Msg{Data: body, Header: nats.Header{}}
	m.Header.Set(idHeader, h.id)
	m.Header.Set(jetstream.MsgIDHeader, h.id)
	m.Header.Set(sentHeader, millis(h.sent))
	m.Header.Set(typeHeader, string(h.contentType))
	m.Header.Set(expiresHeader, millis(h.expires))
	if h.attempts > 0 {
		m.Header.Set(attemptsHeader, strconv.Itoa(h.attempts))
	}
	return m
}

func isID(text string) bool {
	return len(text) == 2*idSize && strings.Trim(text, "0123456789abcdef") == ""
}

// together is how many requests one call has under way.
const together = 64

func each(n int, do func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(together)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait() //nolint:wrapcheck // of do
}

// Send implements kv.Queues.
func (s *Queues) Send(ctx context.Context, q kv.Queue, list []kv.Message, opts kv.SendOptions) ([]string, error) {
	opts, err := kv.CheckSend(list, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if err := s.room(ctx, q, list); err != nil {
		return nil, err
	}
	ids, now := make([]string, len(list)), time.Now()
	all := make([]sending, len(list))
	for i, m := range list {
		ids[i] = newID()
		h := header{id: ids[i], sent: now, expires: now.Add(opts.Retention), contentType: m.ContentType}
		all[i] = sending{h.message(m.Body), m.Delay}
	}
	if err := s.publish(ctx, q, all...); err != nil {
		return nil, failure(ctx, "send to queue", err)
	}
	return ids, nil
}

const idSize = 16

func newID() string {
	var b [idSize]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return hex.EncodeToString(b[:])
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// sending is a message that is to be delivered after a delay.
type sending struct {
	*nats.Msg
	delay time.Duration
}

// publish puts messages into the stream, all or none: a server syncs them together then.
// The stream is made if it is not there. It is tried again while servers say that there is
// none, or that they can't tell: one that was deleted just now may seem to be there.
func (s *Queues) publish(ctx context.Context, q kv.Queue, all ...sending) error {
	asked, cancel := context.WithTimeout(ctx, s.cfg.patience)
	defer cancel()
	for {
		err := s.attempt(asked, q, all)
		if !isGone(err) && !jstream.Passing(jstream.CodeOf(err)) {
			return err
		}
		if isGone(err) {
			s.forget(q)
		}
		select {
		case <-time.After(attemptPause):
		case <-asked.Done():
			return fmt.Errorf("no server takes messages of the queue: %w: %w", kv.ErrUnavailable, err)
		}
	}
}

// attemptPause is how long is waited before messages are sent again.
const attemptPause = 20 * time.Millisecond

func (s *Queues) attempt(ctx context.Context, q kv.Queue, all []sending) error {
	st, err := s.open(ctx, q)
	if err != nil {
		return err
	}
	messages := make([]*nats.Msg, len(all))
	for i, m := range all {
		messages[i] = m.Msg
		m.Header.Set(jetstream.ExpectedStreamHeader, st.name)
		address(m.Msg, st.prefix, m.delay)
	}
	_, err = jstream.Publish(ctx, s.cfg.Conn, messages)
	return err
}

// address says where a message goes, and when.
func address(m *nats.Msg, prefix string, delay time.Duration) {
	id := m.Header.Get(idHeader)
	left := "1s" // it is removed at once, or was nearly
	if ms, err := strconv.ParseInt(m.Header.Get(expiresHeader), 10, 64); err == nil {
		left = fmt.Sprintf("%ds", max(1, int64(time.Until(time.UnixMilli(ms)).Seconds())))
	}
	if delay <= 0 {
		m.Subject = prefix + due
		m.Header.Set(jetstream.MsgTTLHeader, left)
		return
	}
	m.Subject = prefix + later + id
	at := time.Now().Add(delay + time.Millisecond)
	m.Header.Set("Nats-Schedule", scheduled+at.UTC().Format(time.RFC3339Nano))
	m.Header.Set("Nats-Schedule-Target", prefix+due)
	m.Header.Set("Nats-Schedule-TTL", left)
}
