package lagkv

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// Store is what one node has.
type Store struct {
	cluster *Cluster
	copy    *memkv.Store
	lag     func() time.Duration
	news    chan struct{} // capacity 1: there may be something to apply
	stop    context.CancelFunc
	work    sync.WaitGroup
	cut     atomic.Bool

	mu      sync.Mutex // guards applied; taken after Cluster.mu
	applied int        // writes of the log
}

// Cut lets the node reach the others no more, or again: writes and Sync are
// kv.ErrUnavailable, and the copy stays as it is.
func (s *Store) Cut(cut bool) {
	s.cut.Store(cut)
	if !cut && s.lag != nil {
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// reach says whether a write can be done.
func (s *Store) reach(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.cut.Load() {
		return fmt.Errorf("this node is cut off: %w", kv.ErrUnavailable)
	}
	return nil
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, key string) (kv.Entry, error) { return s.copy.Get(ctx, key) }

// List implements kv.Store.
func (s *Store) List(ctx context.Context, opts kv.ListOptions) (kv.Page, error) {
	return s.copy.List(ctx, opts)
}

// Watch implements kv.Store.
func (s *Store) Watch(ctx context.Context, prefix string) (kv.Watcher, error) {
	return s.copy.Watch(ctx, prefix)
}

// View implements kv.Viewer.
func (s *Store) View(ctx context.Context) (kv.View, error) { return s.copy.View(ctx) }

// Put implements kv.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (revision uint64, err error) {
	if err := s.usable(ctx, key); err != nil {
		return 0, err
	}
	w := write{key: key, value: bytes.Clone(value), opts: opts}
	w.opts.Metadata = bytes.Clone(opts.Metadata)
	err = s.cluster.write(s, w, func() error {
		revision, err = s.cluster.truth.Put(ctx, key, value, opts)
		return err
	})
	return revision, err
}

// Delete implements kv.Store.
func (s *Store) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	if err := s.usable(ctx, key); err != nil {
		return err
	}
	return s.cluster.write(s, write{key: key, remove: true}, func() error {
		return s.cluster.truth.Delete(ctx, key, opts)
	})
}

// usable is about this node: the truth goes on when it is closed.
func (s *Store) usable(ctx context.Context, key string) error {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return err
	}
	if _, err := s.copy.List(ctx, kv.ListOptions{Limit: 1}); err != nil {
		return err
	}
	return s.reach(ctx)
}

// Sync implements kv.Syncer.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.reach(ctx); err != nil {
		return err
	}
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.apply(len(s.cluster.log))
	return nil
}

// apply brings the copy up to a length of the log. It needs Cluster.mu.
func (s *Store) apply(end int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := context.Background()
	for ; s.applied < end; s.applied++ {
		w := s.cluster.log[s.applied]
		if w.remove {
			_ = s.copy.Delete(ctx, w.key, kv.DeleteOptions{}) // a closed one needs it no more
			continue
		}
		_, _ = s.copy.Put(ctx, w.key, w.value, w.opts) // the same
	}
}

// follow applies the writes of others, each after its time, until ctx ends.
func (s *Store) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news:
		}
		for s.behind() && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(s.lag()):
				s.step()
			}
		}
	}
}

func (s *Store) behind() bool {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cut.Load() && s.applied < len(s.cluster.log)
}

func (s *Store) step() {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	if !s.cut.Load() {
		s.apply(min(s.applied+1, len(s.cluster.log)))
	}
}

// Close implements kv.Store.
func (s *Store) Close() error {
	s.stop()
	s.work.Wait()
	return s.copy.Close()
}
