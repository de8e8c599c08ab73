package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
)

// Get implements kv.Store. What is damaged in the copy comes from the stream.
func (s *Store) Get(ctx context.Context, key string) (kv.Entry, error) {
	if err := s.life.Enter(ctx); err != nil {
		return kv.Entry{}, err
	}
	defer s.life.Leave()
	if e, absent, ok := s.offline.get(key); absent {
		return kv.Entry{}, kv.ErrNotFound
	} else if ok {
		return e, nil
	}
	e, err := s.copy.Get(ctx, key)
	if errors.Is(err, kv.ErrCorrupt) {
		if e, strong := s.strong(ctx, key); strong == nil || errors.Is(strong, kv.ErrNotFound) {
			s.cfg.Logger.Error("the copy of an entry is damaged; the cluster's is not", "err", err)
			return e, strong
		}
	}
	return e, err
}

// GetLocal implements kv.LocalReader: what is not in its copy, or damaged there, Get
// may get elsewhere.
func (s *Store) GetLocal(ctx context.Context, key string) (e kv.Entry, ok bool, err error) {
	if err := s.life.Enter(ctx); err != nil {
		return kv.Entry{}, true, err
	}
	defer s.life.Leave()
	if e, absent, ok := s.offline.get(key); absent {
		return kv.Entry{}, true, kv.ErrNotFound
	} else if ok {
		return e, true, nil
	}
	return s.copy.GetLocal(ctx, key)
}

// List implements kv.Store.
func (s *Store) List(ctx context.Context, opts kv.ListOptions) (kv.Page, error) {
	if err := s.life.Enter(ctx); err != nil {
		return kv.Page{}, err
	}
	defer s.life.Leave()
	waits := s.offline.under(opts.Prefix)
	page, err := s.copy.List(ctx, opts)
	if err != nil {
		return page, err
	}
	return showOver(opts, page, waits, s.cfg.Now())
}

// Watch implements kv.Store. Events come as the copy gets them, from any node. What
// other nodes wrote to one key in a row, faster than the copy gets it or while this
// node was away, may be one event: the last one.
func (s *Store) Watch(ctx context.Context, prefix string) (kv.Watcher, error) {
	if err := s.life.Enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	return s.copy.Watch(ctx, prefix)
}

// View implements kv.Viewer.
func (s *Store) View(ctx context.Context) (kv.View, error) {
	if err := s.life.Enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	return s.copy.View(ctx)
}

// Reclaim looks for space that the copy does not need any more, in the background.
func (s *Store) Reclaim() { s.copy.Reclaim() }

// GetStrong implements kv.StrongReader: it brings the copy up to date, and reads it.
func (s *Store) GetStrong(ctx context.Context, key string) (kv.Entry, error) {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return kv.Entry{}, err
	}
	if err := s.Sync(ctx); err != nil {
		return kv.Entry{}, err
	}
	if err := s.life.Enter(ctx); err != nil {
		return kv.Entry{}, err
	}
	defer s.life.Leave()
	e, err := s.copy.Get(ctx, key)
	if errors.Is(err, kv.ErrCorrupt) {
		return s.strong(ctx, key)
	}
	return e, err
}

// strong asks the server that takes itself for the leader of the stream.
func (s *Store) strong(ctx context.Context, key string) (kv.Entry, error) {
	step := fmt.Sprintf("read key %q", key)
	limit, cancel := context.WithTimeout(ctx, s.cfg.patience)
	defer cancel()
	st, err := s.ready(limit)
	if err != nil {
		return kv.Entry{}, failure(ctx, step, err)
	}
	for {
		l, err := st.ask(limit, key)
		if err != nil {
			return kv.Entry{}, failure(ctx, step, err)
		}
		if l.damage != nil {
			return kv.Entry{}, l.damage
		}
		if l.live(s.cfg.Now()) == 0 {
			return kv.Entry{}, kv.ErrNotFound
		}
		e, err := s.whole(limit, st, l)
		if errors.Is(err, kv.ErrNotFound) && limit.Err() == nil {
			if again, askErr := st.ask(limit, key); askErr == nil && again.sequence == l.sequence {
				return kv.Entry{}, corrupt(keyToken(key), "its value is missing")
			}
			continue // it was written meanwhile
		}
		return e, failure(ctx, step, err)
	}
}

// whole is the entry with its value.
func (s *Store) whole(ctx context.Context, st *streams, l leads) (kv.Entry, error) {
	e := l.record.entry
	e.Revision = l.sequence
	if l.record.object == "" {
		return e, nil
	}
	if mine, err := s.copy.Get(ctx, e.Key); err == nil && mine.Revision == e.Revision {
		return mine, nil
	}
	value, err := st.fetch(ctx, l.record.object)
	if err != nil {
		return kv.Entry{}, err
	}
	e.Value = value
	return e, l.record.checkValue(value)
}
