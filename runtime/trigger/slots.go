package trigger

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

const slotRecords = "node/queue-slots/" // <account>/<queue>/<number>: the id of the lease that holds it

// slotTries is how many slots of a queue are tried before it is done without.
const slotTries = 10

// StoreSlots are slots in a store that nodes share. A slot belongs to the lease of the
// node that took it: if that is over, another node may take it. It is safe for
// concurrent use.
type StoreSlots struct {
	store kv.Store
	lease *Lease
	log   *slog.Logger

	mu  sync.Mutex      // guards own
	own map[string]bool // keys of slots that this node has, or tries to take
}

// NewStoreSlots makes them.
func NewStoreSlots(store kv.Store, lease *Lease, log *slog.Logger) *StoreSlots {
	return &StoreSlots{store: store, lease: lease, log: log, own: map[string]bool{}}
}

// Take implements Slots.
func (s *StoreSlots) Take(ctx context.Context, q kv.Queue, most int) (held context.Context, release func(), ok bool) {
	mine, err := s.lease.Hold(ctx)
	if err != nil {
		s.log.Warn("a queue can't be consumed without a lease", "account", q.Account, "queue", q.ID, "err", err)
		return nil, nil, false
	}
	first := rand.IntN(most)
	for i := range min(most, slotTries) {
		key := slotRecords + q.Account + "/" + q.ID + "/" + strconv.Itoa((first+i)%most)
		if !s.reserve(key) {
			continue
		}
		revision, err := s.take(ctx, key, mine.ID)
		if err != nil {
			s.forgo(key)
		}
		if err != nil && !errors.Is(err, kv.ErrConflict) && ctx.Err() == nil {
			s.log.Warn("a slot of a queue can't be taken", "account", q.Account, "queue", q.ID, "err", err)
			break
		}
		if err == nil {
			return s.held(ctx, mine, key, revision)
		}
	}
	mine.Release()
	return nil, nil, false
}

func (s *StoreSlots) held(ctx context.Context, mine *Held, key string, revision uint64) (context.Context, func(), bool) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(mine.Over, cancel)
	return ctx, func() {
		stop()
		cancel()
		err := s.store.Delete(context.WithoutCancel(ctx), key, kv.DeleteOptions{If: kv.IfRevision(revision)})
		if err != nil && !errors.Is(err, kv.ErrConflict) {
			s.log.Warn("a slot of a queue stays taken until this node takes it again, or its lease ends", "slot", key, "err", err)
		}
		s.forgo(key)
		mine.Release()
	}, true
}

// reserve reports whether nothing else in this process has a slot. Of one that has the
// node's lease and is not reserved it was only not known that it was taken, or not given
// back.
func (s *StoreSlots) reserve(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own[key] {
		return false
	}
	s.own[key] = true
	return true
}

func (s *StoreSlots) forgo(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.own, key)
}

// take writes a slot that is free, or whose holder is gone.
func (s *StoreSlots) take(ctx context.Context, key, lease string) (uint64, error) {
	revision, err := s.store.Put(ctx, key, []byte(lease), kv.PutOptions{If: kv.IfRevision(0), Frees: true}) // what is delivered is removed
	if !errors.Is(err, kv.ErrConflict) {
		return revision, err
	}
	e, err := s.store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, kv.ErrConflict // it was given back just now
	}
	if err != nil {
		return 0, err
	}
	other, err := s.lease.Other(ctx, string(e.Value))
	if err != nil || other {
		return 0, errors.Join(err, kv.ErrConflict)
	}
	return s.store.Put(ctx, key, []byte(lease), kv.PutOptions{If: kv.IfRevision(e.Revision), Frees: true})
}
