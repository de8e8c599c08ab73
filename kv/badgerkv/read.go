package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, key string) (kv.Entry, error) {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return kv.Entry{}, err
	}
	if err := s.enter(ctx); err != nil {
		return kv.Entry{}, err
	}
	defer s.leave()
	// Head and a long value are two reads without a snapshot: the value may
	// already be that of a later write, or be moving to another value log file.
	// The next attempt is past either. The same head several times in a row
	// without its value is damage.
	for revision, same := uint64(0), 0; ; {
		e, err := s.read(key)
		if !errors.Is(err, kv.ErrCorrupt) || e.Revision == 0 {
			return e, err
		}
		if same++; e.Revision != revision {
			revision, same = e.Revision, 1
		}
		if same == readAttempts {
			return kv.Entry{}, err
		}
		if err := ctx.Err(); err != nil {
			return kv.Entry{}, err
		}
	}
}

const readAttempts = 3

// read reads key once. With kv.ErrCorrupt it returns the revision if the head
// was whole.
func (s *Store) read(key string) (e kv.Entry, err error) {
	defer recoverDamage(&err)
	txn := s.db.NewTransactionAt(latest, false)
	defer txn.Discard()
	h, err := readHead(txn, key)
	if err != nil {
		return kv.Entry{}, err
	}
	e = kv.Entry{Key: key, Metadata: h.Metadata, Revision: h.Revision, Expires: h.Expires}
	if e.ExpiredAt(s.now()) {
		return kv.Entry{}, kv.ErrNotFound
	}
	e.Value = h.Value
	if !h.Inline {
		if e.Value, err = s.readLong(key, h.Revision); err != nil {
			return kv.Entry{}, err
		}
	}
	if err := h.CheckValue(key, e.Value); err != nil {
		return kv.Entry{Revision: h.Revision}, err
	}
	return e, nil
}

// readLong returns a copy of the value record as of revision; none if there is
// no record.
func (s *Store) readLong(key string, revision uint64) ([]byte, error) {
	txn := s.db.NewTransactionAt(revision, false)
	defer txn.Discard()
	item, err := txn.Get([]byte(valuePrefix + key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read value of key %q: %w", key, err)
	}
	return item.ValueCopy(nil)
}

// readHead returns a head with slices of its own, or kv.ErrNotFound, or
// kv.ErrCorrupt.
func readHead(txn *badger.Txn, key string) (entry.Head, error) {
	item, err := txn.Get([]byte(headPrefix + key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return entry.Head{}, kv.ErrNotFound
	}
	if err != nil {
		return entry.Head{}, fmt.Errorf("read key %q: %w", key, err)
	}
	record, err := item.ValueCopy(nil)
	if err != nil {
		return entry.Head{}, fmt.Errorf("read key %q: %w", key, err)
	}
	return entry.Decode(key, record)
}

func expired(h entry.Head, now time.Time) bool {
	return kv.Entry{Expires: h.Expires}.ExpiredAt(now)
}

// recoverDamage is deferred where Badger reads tables: it trusts the offsets it
// finds there, and panics when damage has led it astray.
func recoverDamage(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("read damaged table: %v: %w", p, kv.ErrCorrupt)
	}
}
