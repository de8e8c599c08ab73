package trigger

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"

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
}

// NewStoreSlots makes them.
func NewStoreSlots(store kv.Store, lease *Lease, log *slog.Logger) *StoreSlots {
	return &StoreSlots{store, lease, log}
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
		revision, err := s.take(ctx, key, mine.ID)
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
			s.log.Warn("a slot of a queue stays taken until the lease ends", "slot", key, "err", err)
		}
		mine.Release()
	}, true
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
	live, err := s.lease.Live(ctx, string(e.Value))
	if err != nil || live {
		return 0, errors.Join(err, kv.ErrConflict)
	}
	return s.store.Put(ctx, key, []byte(lease), kv.PutOptions{If: kv.IfRevision(e.Revision), Frees: true})
}
