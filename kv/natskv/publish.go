package natskv

import (
	"context"
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

// followHeader has how many messages after this one were stored with it. Nodes apply them
// together.
const followHeader = "Mayfly-Follow"

// follows is how many they are.
func follows(m jetstream.Msg) uint64 {
	n, _ := strconv.ParseUint(m.Headers().Get(followHeader), 10, 16) // mostly there are none
	return n
}

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
	for i, m := range p.messages[:len(p.messages)-1] {
		m.Header.Set(followHeader, strconv.Itoa(len(p.messages)-1-i))
	}
	for unclear := false; ; {
		revision, err := p.attempt(ctx)
		switch code := jstream.CodeOf(err); {
		case err == nil:
			return revision, nil
		case wrongLast(code) && !unclear:
			return 0, errWrongLast
		case wrongLast(code), code == jstream.CodeDuplicate:
			return p.found(ctx, id)
		case code != 0 && !jstream.Passing(code):
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

// maxPosts is how many writes may have messages under way at a time: a server refuses
// what comes faster than it stores it.
const maxPosts = 256

// post is do for writes, of which only so many are under way.
func (p *posting) post(ctx context.Context) (uint64, error) {
	select {
	case p.posts <- struct{}{}:
		defer func() { <-p.posts }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return p.do(ctx)
}

// attempt sends all messages once. What is wrong with one is said of the last.
func (p *posting) attempt(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return jstream.Publish(ctx, p.conn, p.messages)
}

// found finds out whether a write happened that is answered as if it had not.
func (p *posting) found(ctx context.Context, id string) (uint64, error) {
	l, err := p.ask(ctx, p.key)
	if err == nil && l.id != id {
		err = fmt.Errorf("it is not known whether it was written: %w", kv.ErrUnavailable)
	}
	return l.sequence, err
}
