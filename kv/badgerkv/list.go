package badgerkv

import (
	"context"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/cursor"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

// List implements kv.Store. It waits for the commits that are under way when it
// begins.
func (s *Store) List(ctx context.Context, opts kv.ListOptions) (kv.Page, error) {
	if err := kv.CheckPrefix(opts.Prefix); err != nil {
		return kv.Page{}, err
	}
	if err := s.life.Enter(ctx); err != nil {
		return kv.Page{}, err
	}
	defer s.life.Leave()
	after := ""
	if opts.Cursor != "" {
		suffix, err := cursor.Decode(opts.Prefix, opts.Cursor)
		if err != nil {
			return kv.Page{}, err
		}
		after = opts.Prefix + suffix
	}
	if opts.Limit <= 0 {
		opts.Limit = kv.DefaultLimit
	}
	snapshot := s.revisions.snapshot()
	defer s.revisions.release(snapshot)
	txn := s.db.NewTransactionAt(snapshot, false)
	defer txn.Discard()
	page, err := s.page(ctx, txn, opts, after)
	if err != nil {
		return kv.Page{}, err
	}
	return page, nil
}

// page reads one live entry more than it returns, to know whether there is one.
func (s *Store) page(ctx context.Context, txn *badger.Txn, opts kv.ListOptions, after string) (page kv.Page, err error) {
	defer recoverDamage(&err)
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(headPrefix + opts.Prefix)})
	defer it.Close()
	now := s.now()
	for seek(it, opts.Prefix, after); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return page, err
		}
		e, err := listed(it.Item())
		if err != nil {
			return page, err
		}
		if e.Key == after || e.ExpiredAt(now) {
			continue
		}
		if len(page.Entries) == opts.Limit {
			last := page.Entries[opts.Limit-1].Key
			page.Cursor = cursor.Encode(opts.Prefix, last[len(opts.Prefix):])
			break
		}
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

func seek(it *badger.Iterator, prefix, after string) {
	if after == "" {
		after = prefix
	}
	it.Seek([]byte(headPrefix + after))
}

// listed is the entry of a head, without the value and with its own memory.
func listed(item *badger.Item) (kv.Entry, error) {
	e := kv.Entry{Key: string(item.Key()[len(headPrefix):])}
	err := item.Value(func(record []byte) error {
		h, err := entry.Decode(e.Key, record)
		e.Revision, e.Expires = h.Revision, h.Expires
		e.Metadata = append([]byte(nil), h.Metadata...)
		return err
	})
	return e, err
}
