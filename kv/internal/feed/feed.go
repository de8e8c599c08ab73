// Package feed hands the changes of one store to its watchers, within the
// process. A store calls Publish after a write has succeeded, for one key in
// the order of the writes.
package feed

import (
	"bytes"
	"strings"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// How far a watcher may fall behind before it gets kv.ErrLagged. At least one
// event is held whatever its size.
const (
	MaxEvents = 1024
	MaxBytes  = 32 << 20 // of values and metadata
)

// Feed is the set of watchers of one store. The zero value is ready; all
// methods may be called concurrently.
type Feed struct {
	mu       sync.Mutex // guards closed and watchers; taken before a watcher's
	closed   bool
	watchers map[*watcher]struct{}
}

// Watch returns a watcher of the keys that begin with prefix, or kv.ErrClosed.
func (f *Feed) Watch(prefix string) (kv.Watcher, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, kv.ErrClosed
	}
	if f.watchers == nil {
		f.watchers = map[*watcher]struct{}{}
	}
	w := &watcher{feed: f, prefix: prefix, wake: make(chan struct{}, 1)}
	f.watchers[w] = struct{}{}
	return w, nil
}

// Publish hands ev to the watchers of its key and does not wait for them. It
// copies the value and metadata if there are any such watchers.
func (f *Feed) Publish(ev kv.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	copied := false
	for w := range f.watchers {
		if !strings.HasPrefix(ev.Entry.Key, w.prefix) {
			continue
		}
		if !copied {
			ev.Entry.Value = bytes.Clone(ev.Entry.Value)
			ev.Entry.Metadata = bytes.Clone(ev.Entry.Metadata)
			copied = true
		}
		if !w.push(ev) {
			delete(f.watchers, w)
		}
	}
}

// Close ends all watchers with kv.ErrClosed.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for w := range f.watchers {
		w.finish(kv.ErrClosed)
	}
	f.watchers = nil
}

func (f *Feed) remove(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}
