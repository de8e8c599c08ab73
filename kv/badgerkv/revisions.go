package badgerkv

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

// leaseSize is how many revisions are reserved by one write. A restart skips
// what is left of a lease.
const leaseSize = 1 << 14

// revisions gives out revisions, which grow and are never given twice whatever
// happens to the process or the machine, and knows which of them are being
// committed. From that it makes snapshots, and tells Badger which versions
// nobody can ask for any more.
type revisions struct {
	db      *badger.DB
	noSync  bool
	replica bool // a Replica's: revisions come by beginAt

	mu        sync.Mutex               // guards the fields below
	last      uint64                   // the last one given
	leased    uint64                   // the last one that may be given
	underWay  map[uint64]chan struct{} // closed when the commit is over
	snapshots map[uint64]int           // how many readers each has
}

func openRevisions(db *badger.DB, cfg Config) (*revisions, error) {
	if cfg.replica {
		return openReplicaRevisions(db)
	}
	leased, err := readLease(db, cfg.After)
	if err != nil {
		return nil, fmt.Errorf("read revision lease: %w", err)
	}
	leased += cfg.lost
	db.SetDiscardTs(leased)
	r := &revisions{
		db: db, noSync: cfg.NoSync, last: leased, leased: leased,
		underWay: map[uint64]chan struct{}{}, snapshots: map[uint64]int{},
	}
	if cfg.lost > 0 {
		err = r.extend() // or the next start would not know
	}
	return r, err
}

// readLease returns the highest revision that may have been given; it is kept as
// that of an entry without a value. It is after for a new database. One that has
// entries but no lease is damaged: going on from 0 would give revisions out again.
func readLease(db *badger.DB, after uint64) (uint64, error) {
	txn := db.NewTransactionAt(latest, false)
	defer txn.Discard()
	item, err := txn.Get([]byte(leaseKey))
	if errors.Is(err, badger.ErrKeyNotFound) {
		if !isEmpty(txn) {
			return 0, fmt.Errorf("it is missing: %w", kv.ErrCorrupt)
		}
		return after, nil
	}
	if err != nil {
		return 0, err
	}
	record, err := item.ValueCopy(nil)
	if err != nil {
		return 0, err
	}
	h, err := entry.Decode(leaseKey, record)
	return h.Revision, err
}

func isEmpty(txn *badger.Txn) bool {
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	it.Rewind()
	return !it.Valid()
}

func openReplicaRevisions(db *badger.DB) (*revisions, error) {
	p, err := readPosition(db)
	if err != nil {
		return nil, err
	}
	db.SetDiscardTs(p.Revision)
	return &revisions{db: db, replica: true, last: p.Revision,
		underWay: map[uint64]chan struct{}{}, snapshots: map[uint64]int{}}, nil
}

// beginAt takes a revision that was given elsewhere, no lower than the last one.
func (r *revisions) beginAt(revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = revision
	r.underWay[revision] = make(chan struct{})
}

// beginFill is begin for what is no entry. A replica has no revisions to give: it
// takes the last one, which no other record of the same key can have.
func (r *revisions) beginFill() (revision uint64, done func(), err error) {
	if !r.replica {
		revision, err = r.begin()
		return revision, func() { r.done(revision) }, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, func() {}, nil
}

// begin gives the next revision; the caller calls done when its commit is over.
func (r *revisions) begin() (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == r.leased {
		if err := r.extend(); err != nil {
			return 0, fmt.Errorf("extend revision lease: %w", err)
		}
	}
	r.last++
	r.underWay[r.last] = make(chan struct{})
	return r.last, nil
}

// extend needs r.mu. It takes a revision itself: a commit with a higher number
// than those to come would mislead Badger about what is recent. The lease is
// synced even where entries are not, because a revision that someone holds must
// not come back with other content.
func (r *revisions) extend() error {
	leased := r.leased + leaseSize
	txn := r.db.NewTransactionAt(latest, true)
	defer txn.Discard()
	record := entry.Encode(kv.Entry{Key: leaseKey, Revision: leased}, true)
	if err := txn.Set([]byte(leaseKey), record); err != nil {
		return err
	}
	if err := txn.CommitAt(r.last+1, nil); err != nil {
		return err
	}
	if r.noSync {
		if err := r.db.Sync(); err != nil {
			return err
		}
	}
	r.last++
	r.leased = leased
	return nil
}

func (r *revisions) done(revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.underWay[revision])
	delete(r.underWay, revision)
	r.discard()
}

// snapshot returns a revision at which a reader sees every write that was
// acknowledged so far and, for as long as it reads, none that comes after. It
// waits for the commits under way. The caller calls release.
func (r *revisions) snapshot() uint64 {
	r.mu.Lock()
	at := r.last
	r.snapshots[at]++
	waits := slices.Collect(maps.Values(r.underWay))
	r.mu.Unlock()
	for _, over := range waits {
		<-over
	}
	return at
}

func (r *revisions) release(snapshot uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.snapshots[snapshot]--; r.snapshots[snapshot] == 0 {
		delete(r.snapshots, snapshot)
	}
	r.discard()
}

// discard needs r.mu. Of each key Badger keeps the versions after the given
// revision and the last one up to it.
func (r *revisions) discard() {
	oldest := r.last
	for snapshot := range r.snapshots {
		oldest = min(oldest, snapshot)
	}
	for revision := range r.underWay {
		oldest = min(oldest, revision-1)
	}
	r.db.SetDiscardTs(oldest)
}
