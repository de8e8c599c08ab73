// Package memkv keeps a kv.Store and kv.Blobs in memory, for tests and for
// nodes that need not survive a restart. Nothing is durable.
//
// Keys are a sorted slice beside a map: a new key costs a move of the slice's
// tail (16 bytes a key), which is less than a tree's bookkeeping up to some
// hundred thousand keys.
package memkv

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/changelog"
	"github.com/mayfly-run/mayfly/kv/internal/cursor"
	"github.com/mayfly-run/mayfly/kv/internal/feed"
)

// Config of a Store.
type Config struct {
	Now   func() time.Time // default: time.Now
	After uint64           // revisions begin after it; default: 0
}

// Store is a kv.Store in memory.
type Store struct {
	now  func() time.Time
	feed feed.Feed

	mu       sync.RWMutex // guards the fields below; held while publishing, for the order of events
	closed   bool
	revision uint64
	rules    *changelog.Rules
	writes   int      // since the last sweep
	keys     []string // of entries, sorted
	entries  map[string]kv.Entry
}

// New returns an empty Store.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Store{now: cfg.Now, revision: cfg.After, entries: map[string]kv.Entry{}}
}

// GetLocal implements kv.LocalReader: everything is at hand.
func (s *Store) GetLocal(ctx context.Context, key string) (kv.Entry, bool, error) {
	e, err := s.Get(ctx, key)
	return e, true, err
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, key string) (kv.Entry, error) {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return kv.Entry{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return kv.Entry{}, err
	}
	e, ok := s.entries[key]
	if !ok || e.ExpiredAt(s.now()) {
		return kv.Entry{}, kv.ErrNotFound
	}
	e.Value, e.Metadata = bytes.Clone(e.Value), bytes.Clone(e.Metadata)
	return e, nil
}

// Put implements kv.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if err := kv.CheckSize(key, value, opts.Metadata); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := kv.Entry{Key: key, Value: copyOf(value), Metadata: copyOf(opts.Metadata)}
	if !opts.Expires.IsZero() {
		e.Expires = time.UnixMilli(opts.Expires.UnixMilli())
	}
	return s.write(ctx, e, e.ExpiredAt(s.now()), opts.If)
}

// Delete implements kv.Store.
func (s *Store) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	if err := kv.CheckSize(key, nil, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.write(ctx, kv.Entry{Key: key}, true, opts.If)
	return err
}

// write needs s.mu.
func (s *Store) write(ctx context.Context, e kv.Entry, remove bool, cond kv.Condition) (uint64, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	old, ok := s.entries[e.Key]
	live := ok && !old.ExpiredAt(s.now())
	if !live {
		old = kv.Entry{}
	}
	if !cond.Holds(old.Revision) {
		return 0, kv.ErrConflict
	}
	e.Revision = s.revision + 1
	var records []kv.Entry
	if live || !remove {
		var err error
		if records, err = s.rules.Records(ctx, e, old.Revision, remove, s.now()); err != nil {
			return 0, err
		}
	}
	s.revision++
	switch {
	case !remove:
		s.set(e)
		s.feed.Publish(kv.Event{Entry: e})
	case live:
		s.remove(e.Key)
		s.feed.Publish(kv.Event{Entry: kv.Entry{Key: e.Key, Revision: e.Revision}, Deleted: true})
	}
	for _, record := range records {
		s.set(record)
		s.feed.Publish(kv.Event{Entry: record})
	}
	s.sweep()
	return e.Revision, nil
}

func (s *Store) set(e kv.Entry) {
	if _, ok := s.entries[e.Key]; !ok {
		i, _ := slices.BinarySearch(s.keys, e.Key)
		s.keys = slices.Insert(s.keys, i, e.Key)
	}
	s.entries[e.Key] = e
}

func (s *Store) remove(key string) {
	i, _ := slices.BinarySearch(s.keys, key)
	s.keys = slices.Delete(s.keys, i, i+1)
	delete(s.entries, key)
}

// sweep drops what has expired, once per as many writes as there are entries.
func (s *Store) sweep() {
	if s.writes++; s.writes <= len(s.entries) {
		return
	}
	s.writes = 0
	now := s.now()
	s.keys = slices.DeleteFunc(s.keys, func(key string) bool {
		gone := s.entries[key].ExpiredAt(now)
		if gone {
			delete(s.entries, key)
		}
		return gone
	})
}

// List implements kv.Store.
func (s *Store) List(ctx context.Context, opts kv.ListOptions) (kv.Page, error) {
	if err := kv.CheckPrefix(opts.Prefix); err != nil {
		return kv.Page{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return kv.Page{}, err
	}
	start, err := s.start(opts)
	if err != nil {
		return kv.Page{}, err
	}
	return s.page(s.keys[start:], opts), nil
}

// start is the index of the first key of a page.
func (s *Store) start(opts kv.ListOptions) (int, error) {
	if opts.Cursor == "" {
		i, _ := slices.BinarySearch(s.keys, opts.Prefix)
		return i, nil
	}
	suffix, err := cursor.Decode(opts.Prefix, opts.Cursor)
	if err != nil {
		return 0, err
	}
	i, found := slices.BinarySearch(s.keys, opts.Prefix+suffix)
	if found {
		i++
	}
	return i, nil
}

func (s *Store) page(keys []string, opts kv.ListOptions) kv.Page {
	limit := opts.Limit
	if limit <= 0 {
		limit = kv.DefaultLimit
	}
	var page kv.Page
	now := s.now()
	for _, key := range keys {
		if !strings.HasPrefix(key, opts.Prefix) {
			break
		}
		e := s.entries[key]
		if e.ExpiredAt(now) {
			continue
		}
		if len(page.Entries) == limit {
			last := page.Entries[limit-1].Key
			page.Cursor = cursor.Encode(opts.Prefix, last[len(opts.Prefix):])
			break
		}
		e.Value, e.Metadata = nil, bytes.Clone(e.Metadata)
		page.Entries = append(page.Entries, e)
	}
	return page
}

// Watch implements kv.Store.
func (s *Store) Watch(ctx context.Context, prefix string) (kv.Watcher, error) {
	if err := kv.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	return s.feed.Watch(prefix)
}

// LogChanges implements kv.ChangeLogger.
func (s *Store) LogChanges(ctx context.Context, list []kv.ChangeRule) error {
	rules, err := changelog.New(list)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	s.rules = rules
	return nil
}

// Close implements kv.Store and lets go of the entries.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.keys, s.entries = true, nil, nil
	s.feed.Close()
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return kv.ErrClosed
	}
	return ctx.Err()
}

// copyOf is nil for an empty slice, as entries are read back.
func copyOf(b []byte) []byte { return append([]byte(nil), b...) }
