package natskv

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/mayfly-run/mayfly/kv"
)

// expirySlack is how long after its expiry a server may drop an entry. Until then
// nodes hide it by their own clocks.
const expirySlack = time.Hour

// Put implements kv.Store. An error that is kv.ErrUnavailable, or that of ctx, may
// leave the write to happen later.
func (s *Store) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if err := kv.CheckSize(key, value, opts.Metadata); err != nil {
		return 0, err
	}
	r := record{entry: kv.Entry{Key: key, Value: value, Metadata: opts.Metadata}}
	if !opts.Expires.IsZero() {
		r.entry.Expires = time.UnixMilli(opts.Expires.UnixMilli())
	}
	if r.entry.ExpiredAt(s.cfg.Now()) {
		r = record{entry: kv.Entry{Key: key}, deleted: true}
	}
	return s.write(ctx, &writing{record: r, cond: opts.If})
}

// Delete implements kv.Store. Its errors are as those of Put.
func (s *Store) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return err
	}
	_, err := s.write(ctx, &writing{record: record{entry: kv.Entry{Key: key}, deleted: true}, cond: opts.If, lazy: true})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// errNothing: there is nothing to delete.
var errNothing = errors.New("nothing to delete")

// write sends a record and waits until the copy has it.
func (s *Store) write(ctx context.Context, w *writing) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	step := fmt.Sprintf("write key %q", w.record.entry.Key)
	limit, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	st, err := s.ready(limit)
	if err != nil {
		return 0, failure(ctx, step, err)
	}
	unlock, err := s.lock(limit, w.record.entry.Key)
	if err != nil {
		return 0, failure(ctx, step, err)
	}
	defer unlock()
	w.Store, w.streams = s, st
	revision, err := w.do(limit)
	switch {
	case errors.Is(err, kv.ErrConflict):
		return 0, kv.ErrConflict
	case errors.Is(err, errNothing):
		return 0, err
	case err != nil:
		return 0, failure(ctx, step, err)
	}
	if err := s.progress.wait(limit, revision); err != nil {
		return 0, failure(ctx, fmt.Sprintf("%s: it is revision %d, which the copy does not get", step, revision), err)
	}
	return revision, nil
}

// stripes is how many writes to different keys may be under way at a time.
const stripes = 256

// lock keeps other writes of this Store to a key waiting until the copy has this one:
// the stream keeps the last message only, and watchers would miss those before it.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	lock := s.locks[maphash.String(s.seed, key)%stripes]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ready returns the streams once the copy is current. Without a connection it does
// not wait.
func (s *Store) ready(ctx context.Context) (*streams, error) {
	for {
		if st := s.streams.Load(); st != nil {
			return st, nil
		}
		_, changed := s.state.get()
		cause := s.state.cause()
		if !s.conn.IsConnected() {
			cause = errDisconnected
		}
		if errors.Is(cause, errDisconnected) && !s.conn.IsConnected() || diverged(cause) {
			return nil, fmt.Errorf("%w: %w", kv.ErrUnavailable, cause)
		}
		select {
		case <-changed:
		case <-time.After(retryEvery):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: the copy is not current: %w", kv.ErrUnavailable, cause)
		}
	}
}

// writing is one write under way.
type writing struct {
	*Store
	*streams
	record record
	cond   kv.Condition
	lazy   bool // it is a deletion, and is not written if there is nothing

	compares bool
	expected uint64 // sequence of the last message of the key, if it compares
	object   string
}

// compareAttempts is how often the last message of a key may change while a
// condition holds.
const compareAttempts = 16

func (w *writing) do(ctx context.Context) (uint64, error) {
	if err := w.expect(ctx); err != nil {
		return 0, err
	}
	release, err := w.upload(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	revision, err := w.send(ctx)
	if definitely := errors.Is(err, kv.ErrConflict); definitely && w.object != "" {
		w.objects.discard(w.object)
	}
	return revision, err
}

func (w *writing) send(ctx context.Context) (uint64, error) {
	for attempt := 0; ; attempt++ {
		revision, err := w.publish(ctx)
		if !errors.Is(err, errWrongLast) {
			return revision, err
		}
		if attempt == compareAttempts {
			return 0, fmt.Errorf("the key is written all the time: %w", kv.ErrUnavailable)
		}
		last := w.expected
		if err := w.expectLeads(ctx); err != nil {
			return 0, err
		}
		if w.expected == last { // another write is under way, and may fail
			time.Sleep(time.Duration(attempt+1) * time.Millisecond)
		}
	}
}

// expect finds out what the last message of the key has to be. The copy is asked
// first; it may be behind, which the server finds out.
func (w *writing) expect(ctx context.Context) error {
	revision, compares := w.cond.Revision()
	e, err := w.copy.Get(ctx, w.record.entry.Key)
	absent := errors.Is(err, kv.ErrNotFound)
	if !compares {
		if absent && w.lazy {
			return w.expectSomething(ctx)
		}
		return nil
	}
	if w.lazy && revision == 0 {
		if err := w.expectLeads(ctx); err != nil {
			return err
		}
		return errNothing
	}
	w.compares = true
	switch {
	case err != nil && !absent:
		return err
	case e.Revision == revision && revision > 0:
		w.expected = revision
		return nil
	case absent && revision == 0:
		w.expected, err = w.copy.Stored(ctx, w.record.entry.Key) // of what has expired
		return err
	}
	return w.expectLeads(ctx)
}

// expectSomething is for deletions of what the copy does not have: nor may the stream.
func (w *writing) expectSomething(ctx context.Context) error {
	l, err := w.ask(ctx, w.record.entry.Key)
	if err != nil {
		return err
	}
	if l.damage == nil && l.live(w.cfg.Now()) == 0 {
		return errNothing
	}
	return nil
}

// expectLeads asks the leader whether the condition holds.
func (w *writing) expectLeads(ctx context.Context) error {
	l, err := w.ask(ctx, w.record.entry.Key)
	if err != nil {
		return err
	}
	if l.damage != nil {
		return l.damage
	}
	if !w.cond.Holds(l.live(w.cfg.Now())) {
		return kv.ErrConflict
	}
	w.expected = l.sequence
	return nil
}

// upload stores a value that is too long for a message.
func (w *writing) upload(ctx context.Context) (release func(), err error) {
	value, most := w.record.entry.Value, int(w.conn.MaxPayload())-room
	if len(w.record.entry.Key)+len(w.record.entry.Metadata)+len(value)+headSize <= min(inlineMax, most) {
		return func() {}, nil
	}
	w.object, err = w.put(ctx, keyToken(w.record.entry.Key), value, min(chunkSize, most))
	if err != nil {
		return nil, fmt.Errorf("store value: %w", err)
	}
	w.record.object = w.object
	return w.objects.hold(w.object, value), nil
}

// attemptTimeout is how long one attempt to publish waits to be acknowledged.
const attemptTimeout = 3 * time.Second

// publish sends the record until it is known what became of it. The server knows it
// again by its id, for two minutes.
func (w *writing) publish(ctx context.Context) (uint64, error) {
	id := w.name + "." + nuid.Next()
	m := &nats.Msg{Subject: w.entryPrefix + keyToken(w.record.entry.Key), Data: w.record.encode()}
	for unclear := false; ; {
		revision, err := w.attempt(ctx, m, id)
		code := codeOf(err)
		switch {
		case err == nil:
			return revision, nil
		case code == jetstream.JSErrCodeStreamWrongLastSequence || code == jetstream.JSErrCodeStreamWrongLastSequenceConstant:
			if unclear {
				return w.found(ctx, id)
			}
			return 0, errWrongLast
		case code != 0 && code != codeInProcess:
			return 0, err // refused
		}
		unclear = unclear || !errors.Is(err, jetstream.ErrNoStreamResponse) && !errors.Is(err, nats.ErrReconnectBufExceeded)
		if !unclear && !w.conn.IsConnected() {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(retryEvery):
		}
	}
}

func (w *writing) attempt(ctx context.Context, m *nats.Msg, id string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	options := []jetstream.PublishOpt{jetstream.WithMsgID(id), jetstream.WithExpectStream(w.entriesName())}
	if ttl := w.ttl(); ttl > 0 {
		options = append(options, jetstream.WithMsgTTL(ttl))
	}
	if w.compares {
		options = append(options, jetstream.WithExpectLastSequencePerSubject(w.expected))
	}
	m.Header = nil // options add to it
	ack, err := w.streams.js.PublishMsg(ctx, m, options...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// found finds out whether a write happened after which another condition holds.
func (w *writing) found(ctx context.Context, id string) (uint64, error) {
	l, err := w.ask(ctx, w.record.entry.Key)
	if err == nil && l.id != id {
		err = fmt.Errorf("it is not known whether it was written: %w", kv.ErrUnavailable)
	}
	return l.sequence, err
}

// ttl is after which time a server may drop the message; 0 is never.
func (w *writing) ttl() time.Duration {
	switch e := w.record.entry; {
	case w.record.deleted:
		return w.cfg.MarkerTTL
	case !e.Expires.IsZero():
		return (e.Expires.Sub(w.cfg.Now()) + expirySlack).Truncate(time.Second)
	}
	return 0
}
