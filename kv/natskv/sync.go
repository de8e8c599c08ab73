package natskv

import (
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// Sync implements kv.Syncer.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.life.Enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	limit, cancel := context.WithTimeout(ctx, s.cfg.patience)
	defer cancel()
	return failure(ctx, "bring the copy up to date", s.sync(limit))
}

// syncs has calls at the same time share a write, so that strong reads, however many,
// cost the cluster one at a time. A write that has begun says nothing about what was
// taken since: who comes then waits for the next one.
type syncs struct {
	turn chan struct{} // of one: held by the call that writes

	mu   sync.Mutex  // guards next
	next *sharedSync // that waits for its turn; nil if none does
}

type sharedSync struct {
	over    chan struct{} // closed at the end; what follows is read after that
	err     error
	givenUp bool // by the call that writes: that says nothing to others
}

// join is the write that the caller shares; its own if it is to do it.
func (g *syncs) join() (next *sharedSync, own bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next, own = &sharedSync{over: make(chan struct{})}, true
	}
	return g.next, own
}

// begin lets nobody join any more.
func (g *syncs) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = nil
}

func (s *Store) sync(ctx context.Context) error {
	for {
		shared, own := s.syncs.join()
		if own {
			s.lead(ctx, shared)
			return shared.err
		}
		select {
		case <-shared.over:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !shared.givenUp {
			return shared.err
		}
	}
}

// lead writes for all who have joined when its turn comes.
func (s *Store) lead(ctx context.Context, shared *sharedSync) {
	defer close(shared.over)
	select {
	case s.syncs.turn <- struct{}{}:
		defer func() { <-s.syncs.turn }()
	case <-ctx.Done():
	}
	s.syncs.begin()
	if shared.err = ctx.Err(); shared.err == nil {
		shared.err = s.touch(ctx)
	}
	shared.givenUp = ctx.Err() != nil
}

// syncKey is what is deleted by that. Nobody has such a key.
const syncKey = "\x00sync"

// touch writes that there is nothing where nothing is, and waits until the copy has come
// to that. Asking how far the stream has come is not enough: a server that was cut off
// from the others takes itself for the leader for some seconds more, and knows nothing of
// what those have taken meanwhile. But it can't have anything stored.
func (s *Store) touch(ctx context.Context) error {
	st, err := s.ready(ctx)
	if err != nil {
		return err
	}
	p := posting{Store: s, streams: st, key: syncKey}
	p.messages = append(p.messages, s.message(st, record{entry: kv.Entry{Key: syncKey}, deleted: true}))
	revision, err := p.do(ctx)
	if err != nil {
		return err
	}
	return s.arrive(ctx, revision)
}
