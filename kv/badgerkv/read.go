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
	if err := s.life.Enter(ctx); err != nil {
		return kv.Entry{}, err
	}
	defer s.life.Leave()
	e, err := s.read(key)
	if errors.Is(err, kv.ErrCorrupt) {
		return s.readAgain(ctx, key)
	}
	return e, err
}

// GetLocal implements kv.LocalReader: short values lie beside their keys.
func (s *Store) GetLocal(ctx context.Context, key string) (e kv.Entry, ok bool, err error) {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return kv.Entry{}, true, err
	}
	if err := s.life.Enter(ctx); err != nil {
		return kv.Entry{}, true, err
	}
	defer s.life.Leave()
	h, err := s.head(key)
	if err != nil || !h.Inline {
		return kv.Entry{}, errors.Is(err, kv.ErrNotFound), err
	}
	e, err = s.found(key, h, h.Value)
	return e, !errors.Is(err, kv.ErrCorrupt), err
}

// head reads what key begins with.
func (s *Store) head(key string) (_ entry.Head, err error) {
	defer recoverDamage(&err)
	txn := s.db.NewTransactionAt(latest, false)
	defer txn.Discard()
	return readHead(txn, key)
}

// readAttempts is how often a value may be found to be on the move.
const readAttempts = 3

// readAgain tells damage from a read that met a write: a commit becomes visible
// record by record, so the head may be there before its long value. The lock
// keeps writes of the key away. The collector may still move the value to
// another file between looking up where it is and reading it, but not several
// times in a row.
func (s *Store) readAgain(ctx context.Context, key string) (e kv.Entry, err error) {
	lock := s.lockOf(key)
	lock.Lock()
	defer lock.Unlock()
	for range readAttempts {
		if err := ctx.Err(); err != nil {
			return kv.Entry{}, err
		}
		if e, err = s.read(key); !errors.Is(err, kv.ErrCorrupt) {
			break
		}
	}
	return e, err
}

// read reads key once.
func (s *Store) read(key string) (e kv.Entry, err error) {
	defer recoverDamage(&err)
	h, value, err := s.records(key)
	if err != nil {
		return kv.Entry{}, err
	}
	return s.found(key, h, value)
}

// found is the entry that a head and a value make.
func (s *Store) found(key string, h entry.Head, value []byte) (kv.Entry, error) {
	e := kv.Entry{Key: key, Value: value, Metadata: h.Metadata, Revision: h.Revision, Expires: h.Expires}
	if e.ExpiredAt(s.now()) {
		return kv.Entry{}, kv.ErrNotFound
	}
	if err := h.CheckValue(key, value); err != nil {
		return kv.Entry{}, err
	}
	return e, nil
}

// records reads the head of key and the value that was written with it.
func (s *Store) records(key string) (h entry.Head, value []byte, err error) {
	txn := s.db.NewTransactionAt(latest, false)
	defer txn.Discard()
	if h, err = readHead(txn, key); err != nil || h.Inline {
		return h, h.Value, err
	}
	value, err = s.readLong(key, h.Revision)
	return h, value, err
}

// readLong returns a copy of the value record as of revision; none if there is
// no record.
func (s *Store) readLong(key string, revision uint64) ([]byte, error) {
	txn := s.db.NewTransactionAt(revision, false)
	defer txn.Discard()
	value, err := valueIn(txn, key)
	if err != nil {
		return nil, fmt.Errorf("read value of key %q: %w", key, err)
	}
	return value, nil
}

func valueIn(txn *badger.Txn, key string) ([]byte, error) {
	item, err := txn.Get([]byte(valuePrefix + key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
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
	return headOf(key, item)
}

func headOf(key string, item *badger.Item) (entry.Head, error) {
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
