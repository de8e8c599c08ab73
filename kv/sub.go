package kv

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Sub returns the keys of store that begin with prefix as a store of its own:
// the prefix is not part of its keys, cursors and events. The prefix counts
// towards MaxKey; a key that is the prefix itself is not part of the view.
// Closing the result ends its watchers and leaves store open.
func Sub(store Store, prefix string) Store {
	return &sub{parent: store, prefix: prefix, watchers: map[Watcher]struct{}{}}
}

type sub struct {
	parent Store
	prefix string

	mu       sync.Mutex // guards closed and watchers
	closed   bool
	watchers map[Watcher]struct{}
}

func (s *sub) Get(ctx context.Context, key string) (Entry, error) {
	if err := s.check(key); err != nil {
		return Entry{}, err
	}
	e, err := s.parent.Get(ctx, s.prefix+key)
	return s.strip(e), err
}

func (s *sub) Put(ctx context.Context, key string, value []byte, opts PutOptions) (uint64, error) {
	if err := s.check(key); err != nil {
		return 0, err
	}
	return s.parent.Put(ctx, s.prefix+key, value, opts)
}

func (s *sub) Delete(ctx context.Context, key string, opts DeleteOptions) error {
	if err := s.check(key); err != nil {
		return err
	}
	return s.parent.Delete(ctx, s.prefix+key, opts)
}

// List passes cursors through: they hold only what follows the prefix.
func (s *sub) List(ctx context.Context, opts ListOptions) (Page, error) {
	if s.isClosed() {
		return Page{}, ErrClosed
	}
	opts.Prefix = s.prefix + opts.Prefix
	page, err := s.parent.List(ctx, opts)
	for i, e := range page.Entries {
		page.Entries[i] = s.strip(e)
	}
	page.Entries = slices.DeleteFunc(page.Entries, func(e Entry) bool { return e.Key == "" })
	return page, err
}

func (s *sub) Watch(ctx context.Context, prefix string) (Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	w, err := s.parent.Watch(ctx, s.prefix+prefix)
	if err != nil {
		return nil, err
	}
	s.watchers[w] = struct{}{}
	return &subWatcher{Watcher: w, sub: s}, nil
}

func (s *sub) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for w := range s.watchers {
		w.Close()
	}
	clear(s.watchers)
	return nil
}

// check refuses the empty key here, because the parent would see the prefix.
func (s *sub) check(key string) error {
	if s.isClosed() {
		return ErrClosed
	}
	return CheckSize(key, nil, nil)
}

func (s *sub) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *sub) strip(e Entry) Entry {
	e.Key = strings.TrimPrefix(e.Key, s.prefix)
	return e
}

type subWatcher struct {
	Watcher
	sub *sub
}

func (w *subWatcher) Next(ctx context.Context) (Event, error) {
	for {
		ev, err := w.Watcher.Next(ctx)
		ev.Entry = w.sub.strip(ev.Entry)
		if err != nil || ev.Entry.Key != "" {
			return ev, err
		}
	}
}

func (w *subWatcher) Close() error {
	w.sub.mu.Lock()
	defer w.sub.mu.Unlock()
	delete(w.sub.watchers, w.Watcher)
	return w.Watcher.Close()
}

// View implements Viewer.
func (s *sub) View(ctx context.Context) (View, error) {
	if s.isClosed() {
		return nil, ErrClosed
	}
	v, err := ViewOf(ctx, s.parent)
	if err != nil {
		return nil, err
	}
	return &subView{View: v, sub: s}, nil
}

type subView struct {
	View
	sub *sub
}

// Entries reads past what is not below the prefix.
func (v *subView) Entries(ctx context.Context, do func(Entry) error) error {
	return v.View.Entries(ctx, func(e Entry) error {
		if v.sub.isClosed() {
			return ErrClosed
		}
		if len(e.Key) <= len(v.sub.prefix) || !strings.HasPrefix(e.Key, v.sub.prefix) {
			return nil
		}
		return do(v.sub.strip(e))
	})
}
