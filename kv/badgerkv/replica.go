package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

// appliedKey is where a Replica keeps its Position, as the revision and the
// metadata of an entry.
const appliedKey = "a"

// damagedRecord is what is kept for an entry whose bytes came damaged. It is no head.
const damagedRecord = "damaged"

// Replica is a database whose entries are written elsewhere, where they also get
// their revisions. It is read as a Store is. One goroutine applies changes.
type Replica struct {
	store *Store

	mu       sync.Mutex // held while a change is applied; guards position
	position Position
}

// Position says how far a Replica has come.
type Position struct {
	Revision uint64 // of the last change; 0: none yet
	Mark     []byte // what the caller kept with it
}

// Change is what was written elsewhere.
type Change struct {
	Entry   kv.Entry // with its revision
	Deleted bool     // then only Key and Revision count
	Damaged bool     // the same; reading Key is kv.ErrCorrupt from now on
}

// OpenReplica opens or makes the database, as Open does. Config.After is not used.
func OpenReplica(cfg Config) (*Replica, error) {
	cfg.replica = true
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	r := &Replica{store: s}
	if r.position, err = readPosition(s.db); err != nil {
		s.Close()
		return nil, fmt.Errorf("open store in %s: %w", cfg.Dir, err)
	}
	return r, nil
}

// readPosition is zero for a new database. One that has entries but no position is
// damaged: nobody could tell what it lacks.
func readPosition(db *badger.DB) (Position, error) {
	txn := db.NewTransactionAt(latest, false)
	defer txn.Discard()
	item, err := txn.Get([]byte(appliedKey))
	if errors.Is(err, badger.ErrKeyNotFound) {
		if !isEmpty(txn) {
			return Position{}, fmt.Errorf("read position: it is missing: %w", kv.ErrCorrupt)
		}
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("read position: %w", err)
	}
	record, err := item.ValueCopy(nil)
	if err != nil {
		return Position{}, fmt.Errorf("read position: %w", err)
	}
	h, err := entry.Decode(appliedKey, record)
	return Position{Revision: h.Revision, Mark: h.Metadata}, err
}

// Position is that of the last change that was applied.
func (r *Replica) Position() Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position
}

// Apply does changes of different keys and keeps the position, in one step: a listing
// or a View has all or none, and events come when all are there. Revisions must not
// fall, nor be above that of the position. Watchers get what they would have got from a
// Store; of damage, nothing.
func (r *Replica) Apply(ctx context.Context, p Position, changes ...Change) error {
	for _, c := range changes {
		if err := kv.CheckSize(c.Entry.Key, c.Entry.Value, c.Entry.Metadata); err != nil {
			return err
		}
	}
	return r.move(ctx, p, func(p Position) error {
		defer r.store.lockAll(len(changes), func(i int) string { return changes[i].Entry.Key })()
		olds := make([]state, len(changes))
		for i, c := range changes {
			var err error
			if olds[i], err = r.store.stored(c.Entry.Key); err != nil {
				return err
			}
		}
		if err := r.store.commitChanges(changes, olds, p); err != nil {
			return fmt.Errorf("apply revision %d: %w", p.Revision, err)
		}
		for i, c := range changes {
			if !c.Damaged {
				r.store.publish(write{entry: c.Entry, remove: c.Deleted}, olds[i])
			}
		}
		return nil
	})
}

// Advance keeps a position that comes with no change.
func (r *Replica) Advance(ctx context.Context, revision uint64, mark []byte) error {
	return r.move(ctx, Position{Revision: revision, Mark: mark}, func(p Position) error {
		return r.store.commitChanges(nil, nil, p)
	})
}

func (r *Replica) move(ctx context.Context, p Position, do func(Position) error) error {
	if err := r.store.life.Enter(ctx); err != nil {
		return err
	}
	defer r.store.life.Leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Revision < r.position.Revision || p.Revision == 0 {
		return fmt.Errorf("apply revision %d after %d", p.Revision, r.position.Revision)
	}
	r.store.revisions.beginAt(p.Revision)
	defer r.store.revisions.done(p.Revision)
	if err := do(p); err != nil {
		return err
	}
	r.position = p
	return nil
}

// commitChanges does them, and keeps the position.
func (s *Store) commitChanges(changes []Change, olds []state, p Position) error {
	txn := s.db.NewTransactionAt(latest, true)
	defer txn.Discard()
	long := 0
	for i, c := range changes {
		if err := s.setChange(txn, c, olds[i]); err != nil {
			return err
		}
		if len(c.Entry.Value) >= valueThreshold {
			long += len(c.Entry.Value)
		}
	}
	record := entry.Encode(kv.Entry{Key: appliedKey, Revision: p.Revision, Metadata: p.Mark}, true)
	if err := txn.Set([]byte(appliedKey), record); err != nil {
		return err
	}
	if err := txn.CommitAt(p.Revision, nil); err != nil {
		return err
	}
	if long > 0 {
		s.wroteLong(long)
	}
	return nil
}

func (s *Store) setChange(txn *badger.Txn, c Change, old state) error {
	switch {
	case c.Damaged:
		return txn.Set([]byte(headPrefix+c.Entry.Key), []byte(damagedRecord))
	case !c.Deleted:
		return s.setEntry(txn, c.Entry, old.long)
	case old.present:
		return deleteEntry(txn, c.Entry, old.long)
	}
	return nil
}

// Stored is the revision of what is kept under key, also if it has expired; 0 if
// there is nothing. It may be kv.ErrCorrupt.
func (r *Replica) Stored(ctx context.Context, key string) (uint64, error) {
	if err := r.store.life.Enter(ctx); err != nil {
		return 0, err
	}
	defer r.store.life.Leave()
	h, err := r.store.storedHead(key)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	return h.Revision, err
}

// GetLocal is Store's.
func (r *Replica) GetLocal(ctx context.Context, key string) (kv.Entry, bool, error) {
	return r.store.GetLocal(ctx, key)
}

// Get is Store's.
func (r *Replica) Get(ctx context.Context, key string) (kv.Entry, error) {
	return r.store.Get(ctx, key)
}

// List is Store's.
func (r *Replica) List(ctx context.Context, opts kv.ListOptions) (kv.Page, error) {
	return r.store.List(ctx, opts)
}

// Watch is Store's.
func (r *Replica) Watch(ctx context.Context, prefix string) (kv.Watcher, error) {
	return r.store.Watch(ctx, prefix)
}

// View is Store's.
func (r *Replica) View(ctx context.Context) (kv.View, error) { return r.store.View(ctx) }

// Reclaim is Store's.
func (r *Replica) Reclaim() { r.store.Reclaim() }

// Close is Store's.
func (r *Replica) Close() error { return r.store.Close() }
