package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

// An entry is one or two records, written in one transaction: "h"+key is its
// head (package entry), with the value in it when that is short; "v"+key is a
// long value as it is. So listings and comparisons of revisions read heads only.
// The prefixes also keep users' keys out of Badger's own, "!badger!".
const (
	headPrefix   = "h"
	valuePrefix  = "v"
	leaseKey     = "r"
	fillerPrefix = 'f'
)

// latest is the read timestamp that sees every committed version.
const latest = math.MaxUint64

// reclaimAfter is how long after its expiry, by the system clock, Badger may
// drop an entry. Until then it is hidden by our own check, to the millisecond
// and by Config.Now; Badger counts seconds.
const reclaimAfter = time.Minute

// write is one change of one key.
type write struct {
	entry  kv.Entry // Revision is set on the way
	remove bool
	cond   kv.Condition
	logged []kv.Entry // records of the change
}

// Put implements kv.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if err := kv.CheckSize(key, value, opts.Metadata); err != nil {
		return 0, err
	}
	e := kv.Entry{Key: key, Value: value, Metadata: opts.Metadata}
	if !opts.Expires.IsZero() {
		e.Expires = time.UnixMilli(opts.Expires.UnixMilli())
	}
	return s.apply(ctx, write{entry: e, remove: e.ExpiredAt(s.now()), cond: opts.If})
}

// Delete implements kv.Store.
func (s *Store) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return err
	}
	_, err := s.apply(ctx, write{entry: kv.Entry{Key: key}, remove: true, cond: opts.If})
	return err
}

func (s *Store) apply(ctx context.Context, w write) (uint64, error) {
	if err := s.life.Enter(ctx); err != nil {
		return 0, err
	}
	defer s.life.Leave()
	lock := s.lockOf(w.entry.Key)
	lock.Lock()
	defer lock.Unlock()
	if err := ctx.Err(); err != nil { // the lock may have taken a while
		return 0, err
	}
	old, err := s.stored(w.entry.Key)
	if err != nil {
		return 0, err
	}
	if err := old.satisfies(w.cond); err != nil {
		return 0, err
	}
	revision, err := s.revisions.begin()
	if err != nil {
		return 0, err
	}
	defer s.revisions.done(revision)
	w.entry.Revision = revision
	if old.live || !w.remove {
		if w.logged, err = s.rules.Load().Records(ctx, w.entry, old.revision, w.remove, s.now()); err != nil {
			return 0, err
		}
	}
	if err := s.commit(w, old); err != nil {
		return 0, fmt.Errorf("commit key %q: %w", w.entry.Key, err)
	}
	s.publish(w, old)
	return revision, nil
}

// state is what is stored under a key before a write.
type state struct {
	present  bool   // there is a head, dead or alive
	live     bool   // it has not expired
	revision uint64 // 0 unless live
	long     bool   // there may be a value record
	damage   error  // wraps kv.ErrCorrupt; then it counts as live
}

// stored needs the lock of key.
func (s *Store) stored(key string) (state, error) {
	h, err := s.storedHead(key)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return state{}, nil
	case errors.Is(err, kv.ErrCorrupt):
		return state{present: true, live: true, long: true, damage: err}, nil
	case err != nil:
		return state{}, err
	}
	st := state{present: true, live: !expired(h, s.now()), long: !h.Inline}
	if st.live {
		st.revision = h.Revision
	}
	return st, nil
}

func (s *Store) storedHead(key string) (h entry.Head, err error) {
	defer recoverDamage(&err)
	txn := s.db.NewTransactionAt(latest, false)
	defer txn.Discard()
	return readHead(txn, key)
}

func (st state) satisfies(cond kv.Condition) error {
	switch {
	case cond == kv.AnyRevision:
		return nil
	case st.damage != nil:
		return st.damage
	case !cond.Holds(st.revision):
		return kv.ErrConflict
	}
	return nil
}

func (s *Store) commit(w write, old state) error {
	if w.remove && !old.present {
		return nil
	}
	txn := s.db.NewTransactionAt(latest, true)
	defer txn.Discard()
	set := s.setEntry
	if w.remove {
		set = deleteEntry
	}
	if err := set(txn, w.entry, old.long); err != nil {
		return err
	}
	for _, record := range w.logged {
		if err := s.setEntry(txn, record, false); err != nil {
			return err
		}
	}
	if err := txn.CommitAt(w.entry.Revision, nil); err != nil {
		return err
	}
	s.wroteLongOf(w.entry)
	for _, record := range w.logged {
		s.wroteLongOf(record)
	}
	return nil
}

func (s *Store) wroteLongOf(e kv.Entry) {
	if len(e.Value) >= valueThreshold {
		s.wroteLong(len(e.Value))
	}
}

func (s *Store) setEntry(txn *badger.Txn, e kv.Entry, hadLong bool) error {
	inline := len(e.Value) <= inlineMax
	reclaim := s.reclaimAt(e.Expires)
	head := &badger.Entry{Key: []byte(headPrefix + e.Key), Value: entry.Encode(e, inline), ExpiresAt: reclaim}
	if err := txn.SetEntry(head); err != nil {
		return err
	}
	value := []byte(valuePrefix + e.Key)
	if !inline {
		return txn.SetEntry(&badger.Entry{Key: value, Value: e.Value, ExpiresAt: reclaim})
	}
	if hadLong {
		return txn.Delete(value)
	}
	return nil
}

func deleteEntry(txn *badger.Txn, e kv.Entry, hadLong bool) error {
	if err := txn.Delete([]byte(headPrefix + e.Key)); err != nil {
		return err
	}
	if hadLong {
		return txn.Delete([]byte(valuePrefix + e.Key))
	}
	return nil
}

// reclaimAt converts an expiry by our clock to one by Badger's, in seconds since
// the Unix epoch; 0 is never.
func (s *Store) reclaimAt(expires time.Time) uint64 {
	if expires.IsZero() {
		return 0
	}
	return uint64(time.Now().Unix()) + uint64((expires.Sub(s.now())+reclaimAfter)/time.Second)
}

func (s *Store) publish(w write, old state) {
	switch {
	case !w.remove:
		s.feed.Publish(kv.Event{Entry: w.entry})
	case old.live:
		removed := kv.Entry{Key: w.entry.Key, Revision: w.entry.Revision}
		s.feed.Publish(kv.Event{Entry: removed, Deleted: true})
	}
	for _, record := range w.logged {
		s.feed.Publish(kv.Event{Entry: record})
	}
}
