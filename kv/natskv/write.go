package natskv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

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
	return s.accept(ctx, &writing{record: r, cond: opts.If})
}

// Delete implements kv.Store. Its errors are as those of Put.
func (s *Store) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return err
	}
	_, err := s.accept(ctx, &writing{record: record{entry: kv.Entry{Key: key}, deleted: true}, cond: opts.If, lazy: true})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// errNothing: there is nothing to delete.
var errNothing = errors.New("nothing to delete")

// write sends a record and waits until the copy has it.
func (s *Store) write(ctx context.Context, w *writing) (uint64, error) {
	if err := s.life.Enter(ctx); err != nil {
		return 0, err
	}
	defer s.life.Leave()
	step := fmt.Sprintf("write key %q", w.record.entry.Key)
	limit, cancel := context.WithTimeout(ctx, s.timeFor(len(w.record.entry.Value)))
	defer cancel()
	st, err := s.ready(limit)
	if err != nil {
		return 0, failure(ctx, step, err)
	}
	unlock, err := s.writes.lock(limit, w.record.entry.Key)
	if err != nil {
		return 0, failure(ctx, step, err)
	}
	defer unlock()
	w.Store, w.streams, w.release = s, st, func() {}
	defer func() { w.release() }() // the copy may need the value until then
	revision, err := w.do(limit)
	switch {
	case errors.Is(err, kv.ErrConflict):
		return 0, kv.ErrConflict
	case errors.Is(err, errNothing):
		return 0, err
	case err != nil:
		return 0, failure(ctx, step, err)
	}
	if err := s.arrive(limit, revision); err != nil {
		return 0, failure(ctx, fmt.Sprintf("%s: it is revision %d, which the copy does not get", step, revision), err)
	}
	return revision, nil
}

// slowest is the slowest network over which large values are written, in bytes a second.
const slowest = 256 << 10

// timeFor is how long a write of a value may take.
func (s *Store) timeFor(size int) time.Duration {
	return s.cfg.patience + time.Duration(size)*time.Second/slowest
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
			cause = s.disconnected()
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
	rules  []kv.ChangeRule

	release  func() // lets go of a value that is held for the copy
	compares bool
	expected uint64 // sequence of the last message of the key, if it compares
	old      uint64 // revision of the live entry, if it compares
}

// compareAttempts is how often the last message of a key may change while a
// condition holds.
const compareAttempts = 16

func (w *writing) do(ctx context.Context) (uint64, error) {
	w.rules = w.Store.rules.Load().Match(w.record.entry.Key)
	if err := w.expect(ctx); err != nil {
		return 0, err
	}
	if err := w.upload(ctx); err != nil {
		return 0, err
	}
	revision, err := w.send(ctx)
	if errors.Is(err, kv.ErrConflict) {
		w.objects.discard(w.record.object)
	}
	return revision, err
}

func (w *writing) send(ctx context.Context) (uint64, error) {
	for attempt := 0; ; attempt++ {
		messages, err := w.messages(ctx)
		if err != nil {
			return 0, err
		}
		p := posting{Store: w.Store, streams: w.streams, messages: messages, key: w.record.entry.Key, compares: w.compares, expected: w.expected}
		revision, err := p.post(ctx)
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

// messages are that of the entry, after those of what is logged with it.
func (w *writing) messages(ctx context.Context) (list []*nats.Msg, err error) {
	if len(w.rules) > 0 && (w.old > 0 || !w.record.deleted) {
		if list, err = w.logged(ctx); err != nil {
			return nil, err
		}
	}
	return append(list, w.message(w.streams, w.record)), nil
}

// expect finds out what the last message of the key has to be. The copy is asked
// first; it may be behind, which the server finds out.
func (w *writing) expect(ctx context.Context) error {
	revision, compares := w.cond.Revision()
	e, err := w.copy.Get(ctx, w.record.entry.Key)
	absent := errors.Is(err, kv.ErrNotFound)
	if w.lazy && (absent && !compares || compares && revision == 0) {
		return w.expectSomething(ctx)
	}
	w.compares = compares || len(w.rules) > 0
	switch {
	case !w.compares:
		return nil
	case errors.Is(err, kv.ErrCorrupt) && !compares: // nobody knows the old revision
		return w.expectLeads(ctx)
	case err != nil && !absent:
		return err
	case !absent && w.cond.Holds(e.Revision):
		w.expected, w.old = e.Revision, e.Revision
		return nil
	case absent && w.cond.Holds(0):
		w.expected, err = w.copy.Stored(ctx, w.record.entry.Key) // of what has expired
		return err
	}
	return w.expectLeads(ctx)
}

// expectSomething is for deletions of what the copy does not have, or that want there
// to be nothing.
func (w *writing) expectSomething(ctx context.Context) error {
	if err := w.sync(ctx); err != nil {
		return err
	}
	if _, err := w.copy.Get(ctx, w.record.entry.Key); errors.Is(err, kv.ErrNotFound) {
		return errNothing
	}
	w.compares = len(w.rules) > 0
	return w.expectLeads(ctx)
}

// expectLeads asks the leader whether the condition holds.
func (w *writing) expectLeads(ctx context.Context) error {
	l, err := w.ask(ctx, w.record.entry.Key)
	if err != nil {
		return err
	}
	old := l.live(w.cfg.Now())
	if l.damage != nil {
		if _, compares := w.cond.Revision(); compares {
			return l.damage
		}
		old = l.sequence
	}
	if !w.cond.Holds(old) {
		return kv.ErrConflict
	}
	w.expected, w.old = l.sequence, old
	return nil
}

// upload stores a value that is too long for a message.
func (w *writing) upload(ctx context.Context) (err error) {
	value, most := w.record.entry.Value, int(w.conn.MaxPayload())-room
	if w.record.size() <= min(inlineMax, most) {
		return nil
	}
	w.record.object, err = w.put(ctx, keyToken(w.record.entry.Key), value, min(chunkSize, most))
	if err != nil {
		return fmt.Errorf("store value: %w", err)
	}
	w.release = w.objects.hold(w.record.object, value)
	return nil
}
