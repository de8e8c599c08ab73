package badgerkv

import (
	"context"
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// discardRatio is the part of a value log file that must be garbage before the
// rest is moved and the file deleted; Badger's own recommendation.
const discardRatio = 0.5

// turnAfter is how many bytes of long values are written between two turns of
// the memtable. Badger learns only from compactions what in the value log is
// garbage, and a memtable, which has pointers to long values only, would take
// some 50,000 of them before it was turned and compacted.
const turnAfter = 4 * valueLogFile

// collect reclaims value log files until ctx ends.
func (s *Store) collect(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.turn:
			if err := s.turnMemtable(ctx); err != nil {
				s.log.Error("turn memtable", "error", err)
			}
		}
		s.collectOnce(ctx)
	}
}

// wroteLong counts the bytes of a long value and asks for a turn in time.
func (s *Store) wroteLong(size int) {
	if s.longBytes.Add(int64(size)) < turnAfter {
		return
	}
	s.longBytes.Store(0)
	s.Reclaim()
}

// Reclaim looks for space of overwritten and deleted large values, in the
// background. It takes some space first, 3 memtables at most.
func (s *Store) Reclaim() {
	select {
	case s.turn <- struct{}{}:
	default: // one is due already
	}
}

// turnMemtable fills the memtable with as many bytes as it holds, always under
// the same keys. Badger has no call to flush one that leaves writers alone.
func (s *Store) turnMemtable(ctx context.Context) error {
	const batch = 32 // times valueThreshold is within Badger's limit for a transaction
	filler := make([]byte, valueThreshold-1)
	for written := 0; written < memtableSize && ctx.Err() == nil; written += batch * len(filler) {
		if err := s.fill(filler, batch); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) fill(filler []byte, batch int) error {
	revision, done, err := s.revisions.beginFill()
	if err != nil || revision == 0 {
		return err
	}
	defer done()
	txn := s.db.NewTransactionAt(latest, true)
	defer txn.Discard()
	for i := range batch {
		if err := txn.Set([]byte{fillerPrefix, byte(i)}, filler); err != nil {
			return err
		}
	}
	return txn.CommitAt(revision, nil)
}

// collectOnce goes on, one file after another, while there is one worth it.
//
// Badger may bring a deleted record back if a compaction drops the mark of the
// deletion while the record is being moved. Only value records are ever moved,
// and one without its head is never read: it costs space, and nothing else.
func (s *Store) collectOnce(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.db.RunValueLogGC(discardRatio)
		if errors.Is(err, badger.ErrNoRewrite) {
			return
		}
		if err != nil {
			s.log.Error("collect value log", "error", err)
			return
		}
	}
}
