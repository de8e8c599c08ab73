package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/mayfly-run/mayfly/kv"
)

// Batch implements kv.Batcher, in one transaction of Badger, which is one sync.
func (s *Store) Batch(ctx context.Context, writes []kv.Write, _ bool) error {
	if err := kv.CheckBatch(writes); err != nil {
		return err
	}
	rules := s.rules.Load()
	if slices.ContainsFunc(writes, func(w kv.Write) bool { return len(rules.Match(w.Key)) > 0 }) {
		return fmt.Errorf("log several changes at once: %w", errors.ErrUnsupported)
	}
	if err := s.life.Enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	defer s.lockAll(len(writes), func(i int) string { return writes[i].Key })()
	if err := ctx.Err(); err != nil || len(writes) == 0 { // the locks may have taken a while
		return err
	}
	revision, err := s.revisions.begin()
	if err != nil {
		return err
	}
	defer s.revisions.done(revision)
	all, olds, err := s.prepare(writes, revision)
	if err != nil {
		return err
	}
	if err := s.commitAll(all, olds, revision); err != nil {
		return fmt.Errorf("commit %d keys: %w", len(writes), err)
	}
	for i, w := range all {
		s.publish(w, olds[i])
	}
	return nil
}

// lockAll takes the locks of n keys, in one order for everybody.
func (s *Store) lockAll(n int, key func(i int) string) (unlock func()) {
	var taken []int
	for i := range n {
		taken = append(taken, int(maphash.String(s.seed, key(i))%stripes))
	}
	slices.Sort(taken)
	taken = slices.Compact(taken)
	for _, i := range taken {
		s.locks[i].Lock()
	}
	return func() {
		for _, i := range taken {
			s.locks[i].Unlock()
		}
	}
}

// prepare looks at what is stored. It needs the locks of all keys.
func (s *Store) prepare(writes []kv.Write, revision uint64) (all []write, olds []state, err error) {
	for _, w := range writes {
		old, err := s.stored(w.Key)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, write{entry: kv.Entry{Key: w.Key, Value: w.Value, Metadata: w.Metadata, Revision: revision}, remove: w.Delete})
		olds = append(olds, old)
	}
	return all, olds, nil
}

func (s *Store) commitAll(all []write, olds []state, revision uint64) error {
	txn := s.db.NewTransactionAt(latest, true)
	defer txn.Discard()
	long := 0
	for i, w := range all {
		var err error
		switch {
		case !w.remove:
			err = s.setEntry(txn, w.entry, olds[i].long)
		case olds[i].present:
			err = deleteEntry(txn, w.entry, olds[i].long)
		}
		if err != nil {
			return err
		}
		if len(w.entry.Value) >= valueThreshold {
			long += len(w.entry.Value)
		}
	}
	if err := txn.CommitAt(revision, nil); err != nil {
		return err
	}
	s.wroteLong(long)
	return nil
}
