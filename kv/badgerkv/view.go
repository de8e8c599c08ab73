package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
)

// View implements kv.Viewer. While it is open nothing that was overwritten or
// deleted since gives its space back.
func (s *Store) View(ctx context.Context) (kv.View, error) {
	if err := s.life.Enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	return &view{store: s, at: s.revisions.snapshot()}, nil
}

type view struct {
	store *Store
	at    uint64
	once  sync.Once
}

// Revision implements kv.View.
func (v *view) Revision() uint64 { return v.at }

// Close implements kv.View.
func (v *view) Close() error {
	v.once.Do(func() { v.store.revisions.release(v.at) })
	return nil
}

// Entries implements kv.View. The Store's Close makes it end early.
func (v *view) Entries(ctx context.Context, do func(kv.Entry) error) error {
	if err := v.store.life.Enter(ctx); err != nil {
		return err
	}
	defer v.store.life.Leave()
	return v.store.eachHead(v.at, func(txn *badger.Txn, item *badger.Item) error {
		if err := v.usable(ctx); err != nil {
			return err
		}
		e, err := v.entry(txn, item)
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return do(e)
	})
}

// eachHead calls do for all heads as of a revision, in the order of their keys, until it
// returns an error. That of a damaged table wraps kv.ErrCorrupt.
func (s *Store) eachHead(at uint64, do func(*badger.Txn, *badger.Item) error) error {
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(headPrefix)})
	defer it.Close()
	for move := it.Rewind; ; move = it.Next {
		if err := step(move); err != nil || !it.Valid() {
			return err
		}
		if err := do(txn, it.Item()); err != nil {
			return err
		}
	}
}

// step moves an iterator.
func step(move func()) (err error) {
	defer recoverDamage(&err)
	move()
	return nil
}

func (v *view) usable(ctx context.Context) error {
	if v.store.closing.Load() {
		return kv.ErrClosed
	}
	return ctx.Err()
}

// entry reads what a head belongs to; kv.ErrNotFound if it has expired.
func (v *view) entry(txn *badger.Txn, item *badger.Item) (e kv.Entry, err error) {
	key := string(item.Key()[len(headPrefix):])
	for range readAttempts { // see readAgain
		if e, err = v.attempt(txn, item, key); !errors.Is(err, kv.ErrCorrupt) {
			break
		}
	}
	return e, err
}

func (v *view) attempt(txn *badger.Txn, item *badger.Item, key string) (e kv.Entry, err error) {
	defer recoverDamage(&err)
	h, err := headOf(key, item)
	if err != nil {
		return e, err
	}
	e = kv.Entry{Key: key, Value: h.Value, Metadata: h.Metadata, Revision: h.Revision, Expires: h.Expires}
	if e.ExpiredAt(v.store.now()) {
		return e, kv.ErrNotFound
	}
	if !h.Inline {
		if e.Value, err = valueIn(txn, key); err != nil {
			return e, fmt.Errorf("read value of key %q: %w", key, err)
		}
	}
	return e, h.CheckValue(key, e.Value)
}
