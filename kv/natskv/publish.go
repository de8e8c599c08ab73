package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// Headers of messages that are stored together or not at all, with sequences one
// after the other. (Source: ADR-50 of nats-architecture-and-design.)
const (
	batchIDHeader     = "Nats-Batch-Id"
	batchSeqHeader    = "Nats-Batch-Sequence"
	batchCommitHeader = "Nats-Batch-Commit"
)

// message says what r says.
func (s *Store) message(st *streams, r record) *nats.Msg {
	m := &nats.Msg{Subject: st.entryPrefix + keyToken(r.entry.Key), Data: r.encode(), Header: nats.Header{}}
	m.Header.Set(jetstream.ExpectedStreamHeader, s.entriesName())
	if ttl := s.ttl(r); ttl > 0 {
		m.Header.Set(jetstream.MsgTTLHeader, ttl.String())
	}
	return m
}

// ttl is after which time a server may drop the message; 0 is never.
func (s *Store) ttl(r record) time.Duration {
	switch {
	case r.deleted:
		return s.cfg.MarkerTTL
	case !r.entry.Expires.IsZero():
		return (r.entry.Expires.Sub(s.cfg.Now()) + expirySlack).Truncate(time.Second)
	}
	return 0
}

// posting is messages that are stored together.
type posting struct {
	*Store
	*streams
	messages []*nats.Msg
	key      string // of the last one
	compares bool   // the last one is only stored if expected is the key's last sequence
	expected uint64
}

// attemptTimeout is how long one attempt waits to be acknowledged.
const attemptTimeout = 3 * time.Second

// do sends the messages until it is known what became of them, and returns the
// sequence of the last one. The server knows that again by its id, for two minutes.
func (p *posting) do(ctx context.Context) (uint64, error) {
	last := p.messages[len(p.messages)-1]
	id := p.name + "." + nuid.Next()
	last.Header.Set(jetstream.MsgIDHeader, id)
	if p.compares {
		last.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(p.expected, 10))
	}
	for unclear := false; ; {
		revision, err := p.attempt(ctx)
		switch code := jstream.CodeOf(err); {
		case err == nil:
			return revision, nil
		case wrongLast(code) && !unclear:
			return 0, errWrongLast
		case wrongLast(code), code == codeDuplicate:
			return p.found(ctx, id)
		case code != 0 && !passing(code):
			return 0, err // refused
		case code == 0:
			unclear = unclear || !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, nats.ErrReconnectBufExceeded)
		}
		if !unclear && !p.conn.IsConnected() {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(retryEvery / 10):
		}
	}
}

func wrongLast(code jetstream.ErrorCode) bool {
	return code == jetstream.JSErrCodeStreamWrongLastSequence || code == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}

// passing is what a server says when nothing was stored, and it may be soon.
func passing(code jetstream.ErrorCode) bool {
	switch code {
	case codeInProcess, codeNotNow, codeNotLeader, codeIncomplete, codeTooMany:
		return true
	}
	return false
}

// attempt sends all messages once. What is wrong with one is said of the last.
func (p *posting) attempt(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	batch, end := nuid.Next(), len(p.messages)-1
	for i, m := range p.messages[:end] {
		m.Header.Set(batchIDHeader, batch)
		m.Header.Set(batchSeqHeader, strconv.Itoa(i+1))
		if err := p.conn.PublishMsg(m); err != nil {
			return 0, err
		}
	}
	m := p.messages[end]
	if end > 0 {
		m.Header.Set(batchIDHeader, batch)
		m.Header.Set(batchSeqHeader, strconv.Itoa(end+1))
		m.Header.Set(batchCommitHeader, "1")
	}
	reply, err := p.conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, err
	}
	return sequenceOf(reply.Data)
}

// sequenceOf reads what a server answers to a message.
func sequenceOf(reply []byte) (uint64, error) {
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
	}
	if err := json.Unmarshal(reply, &ack); err != nil {
		return 0, fmt.Errorf("read acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Sequence == 0 {
		return 0, errors.New("read acknowledgement: it has no sequence")
	}
	return ack.Sequence, nil
}

// found finds out whether a write happened that is answered as if it had not.
func (p *posting) found(ctx context.Context, id string) (uint64, error) {
	l, err := p.ask(ctx, p.key)
	if err == nil && l.id != id {
		err = fmt.Errorf("it is not known whether it was written: %w", kv.ErrUnavailable)
	}
	return l.sequence, err
}
