package natsqueue

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// What is said of a message that was delivered.
var (
	ack      = []byte("+ACK")
	nak      = []byte("-NAK")
	term     = []byte("+TERM")
	progress = []byte("+WPI")
)

// lease makes deliveries of messages. What is no message of a queue, because somebody else
// has put it into the stream, is removed.
func (s *Queues) lease(q kv.Queue, st *stream, list []*nats.Msg, lasts time.Duration) []kv.Delivery {
	var all []kv.Delivery
	until := time.Now().Add(lasts)
	for _, m := range list {
		d, err := deliveryOf(m)
		if err != nil {
			s.terminate(q, m, err)
			continue
		}
		d.Lease = st.token(m.Reply, until)
		s.leases.add(q, m.Reply, until)
		all = append(all, d)
	}
	return all
}

// terminate removes a message that nobody could ever take.
func (s *Queues) terminate(q kv.Queue, m *nats.Msg, why error) {
	sequence := "unknown"
	if found := ackSubject.FindStringSubmatch(m.Reply); found != nil {
		sequence = found[2]
	}
	s.cfg.Logger.Warn("a message of a queue is malformed, and removed: another program has written it into the stream",
		"account", q.Account, "queue", q.ID, "stream", s.streamName(q), "sequence", sequence, "bytes", len(m.Data), "err", why)
	s.cfg.Conn.Publish(m.Reply, term) //nolint:errcheck // it comes again, and is removed then
}

func deliveryOf(m *nats.Msg) (kv.Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return kv.Delivery{}, err
	}
	h, err := headerOf(m.Header, m.Data)
	return kv.Delivery{ID: h.id, Sent: h.sent, ContentType: h.contentType, Body: m.Data, Attempts: h.attempts + int(meta.NumDelivered)}, err
}

const (
	timeSize = 8
	tagSize  = 12
)

// token is what a lease is known by, on any node: when it ends, the subject, and a tag,
// so that nobody makes up leases.
func (st *stream) token(reply string, until time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli()))
	b = append(b, reply...)
	return base64.RawURLEncoding.EncodeToString(append(b, st.tag(b)...))
}

func (st *stream) tag(b []byte) []byte {
	h := hmac.New(sha256.New, st.secret)
	h.Write(b)
	return h.Sum(nil)[:tagSize]
}

// parse reads a token of this queue; ok is false where there is none, or its lease is over.
func (st *stream) parse(text string, now time.Time) (reply string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < timeSize+tagSize {
		return "", false
	}
	reply, until := string(b[timeSize:len(b)-tagSize]), time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	return reply, hmac.Equal([]byte(st.token(reply, until)), []byte(text)) && until.After(now)
}

// ackSubject has the sequence of the message in its stream, of the old form and of the
// one with a domain. (Source: ADR-15 of nats-architecture-and-design.)
var ackSubject = regexp.MustCompile(`^\$JS\.ACK\.(?:[^.]+\.[^.]+\.)?[^.]+\.[^.]+\.(\d+)\.(\d+)\.\d+\.\d+\.\d+(?:\.[^.]+)?$`)

// Settle implements kv.Queues. A lease that another node has settled just before counts
// as settled again.
func (s *Queues) Settle(ctx context.Context, q kv.Queue, list []kv.Settlement) (stale []string, err error) {
	for _, st := range list {
		if err := kv.CheckDelay(st.Delay); err != nil {
			return nil, err
		}
	}
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	st, err := s.open(ctx, q)
	if err != nil {
		return nil, failure(ctx, "settle messages", err)
	}
	over, replies := make([]bool, len(list)), make([]string, len(list))
	err = each(len(list), func(i int) error {
		reply, ok := st.parse(list[i].Lease, time.Now())
		if ok && list[i].Retry {
			err := s.again(ctx, q, st, reply, list[i])
			if err != nil && !errors.Is(err, errGone) {
				return err
			}
			ok = err == nil
		}
		if over[i] = !ok; ok {
			replies[i] = reply
		}
		return nil
	})
	if ackErr := s.finish(ctx, q, replies, over); err == nil {
		err = ackErr
	}
	for i, is := range over {
		if is {
			stale = append(stale, list[i].Lease)
		}
	}
	return stale, failure(ctx, "settle messages", err)
}

// finish acknowledges messages, of those replies that there are, and waits until that is
// stored. over gets true for what is not there any more.
func (s *Queues) finish(ctx context.Context, q kv.Queue, replies []string, over []bool) (err error) {
	var foreign []string
	for i, answer := range s.acknowledge(ctx, replies) {
		switch {
		case replies[i] == "":
		case errors.Is(answer, errGone):
			over[i] = true
		case answer != nil:
			err = answer
		case !s.leases.remove(q, replies[i]):
			foreign = append(foreign, replies[i])
		}
	}
	s.tellSettled(q, foreign)
	return err
}

// again publishes a message again, for now or for later, and with its attempts: NATS has
// counted a delivery that is perhaps not to count, and would let this lease settle the next
// delivery too. The one that is there is acknowledged then; if the node dies in between,
// both are delivered.
func (s *Queues) again(ctx context.Context, q kv.Queue, st *stream, reply string, what kv.Settlement) error {
	found := ackSubject.FindStringSubmatch(reply)
	if found == nil {
		return errGone
	}
	attempts, _ := strconv.Atoi(found[1])
	sequence, _ := strconv.ParseUint(found[2], 10, 64)
	old, err := st.js.GetMsg(ctx, sequence)
	if err != nil {
		if jstream.CodeOf(err) == codeNoMessage {
			return errGone
		}
		return err
	}
	m := &nats.Msg{Data: old.Data, Header: nats.Header{}}
	for _, name := range []string{idHeader, sentHeader, typeHeader, expiresHeader} {
		m.Header.Set(name, old.Header.Get(name))
	}
	before, _ := strconv.Atoi(old.Header.Get(attemptsHeader))
	if attempts += before; what.Unseen {
		attempts = max(0, attempts-1)
	}
	m.Header.Set(attemptsHeader, strconv.Itoa(attempts))
	m.Header.Set(jetstream.MsgIDHeader, m.Header.Get(idHeader)+"."+found[2]) // once for each that it replaces
	return s.publish(ctx, q, sending{m, what.Delay})
}
