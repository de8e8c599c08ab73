package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// nodeRecords is where all records are.
const nodeRecords = "node/"

// retryInterval is how soon what failed because of others is tried again.
const retryInterval = time.Second

// follower is told by the Store which records have changed. It takes nothing from the
// events but their keys: what counts is what the Store has when they are applied.
type follower struct {
	wake chan struct{} // capacity 1: there may be dirty keys

	mu    sync.Mutex // guards what follows
	dirty map[string]bool
	all   bool          // events were missed: any record may have changed
	seen  uint64        // all changes up to this revision are in dirty
	moved chan struct{} // closed, and made anew, when seen or all changes
}

func newFollower() follower {
	return follower{wake: make(chan struct{}, 1), dirty: map[string]bool{}, moved: make(chan struct{})}
}

// followed says whether what is in memory depends on a record.
func followed(key string) bool { return classOf(key) >= 0 }

// classOf orders records, so that those come first which others need; -1: none does.
func classOf(key string) int {
	return slices.IndexFunc([]string{accountRecords, KeyRecords, namespaceRecords, queueRecords, tokenRecords, assetRecords, manifestRecords, sessionRecords, functionRecords, arrivalRecords},
		func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// note keeps that a record has changed.
func (f *follower) note(e kv.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = max(f.seen, e.Revision)
	f.move()
	if followed(e.Key) {
		f.dirty[e.Key] = true
		f.poke()
	}
}

// noteAll keeps that anything may have changed.
func (f *follower) noteAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = true
	f.move()
	f.poke()
}

// again keeps keys for the next time.
func (f *follower) again(keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keys {
		f.dirty[key] = true
	}
}

// move needs f.mu.
func (f *follower) move() {
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *follower) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns what is dirty, which no longer is.
func (f *follower) take() (keys []string, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.dirty {
		keys = append(keys, key)
	}
	all = f.all
	clear(f.dirty)
	f.all = false
	return keys, all
}

// reached says whether all changes up to a revision are known, and when to ask again.
func (f *follower) reached(revision uint64) (bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all || f.seen >= revision, f.moved
}

// reach waits until all changes up to a revision, which the Store has, are known. If
// nothing comes for a while, its event was among those that were missed, and may have
// been applied with all others already: they are looked at again.
func (r *Registry) reach(ctx context.Context, revision uint64) error {
	for {
		ok, moved := r.cluster.reached(revision)
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-time.After(retryInterval):
			r.cluster.noteAll()
		case <-r.ended:
			return kv.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watchRecords reads events until ctx ends. w is there from before the records were loaded.
func (r *Registry) watchRecords(ctx context.Context, w kv.Watcher) {
	defer func() { w.Close() }()
	for {
		ev, err := w.Next(ctx)
		if err == nil {
			r.cluster.note(ev.Entry)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, kv.ErrClosed) {
			return
		}
		r.cfg.Logger.Warn("changes of the cluster were missed, all records are looked at again", "err", err)
		w.Close()
		if w, err = r.cfg.Store.Watch(ctx, nodeRecords); err != nil {
			return // the Store is closed
		}
		r.cluster.noteAll()
	}
}

// applyRecords applies what others change, until ctx ends.
func (r *Registry) applyRecords(ctx context.Context) {
	again := time.NewTimer(retryInterval)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.cluster.wake:
		case <-again.C:
		}
		r.mu.Lock()
		err := r.applyDirty(ctx)
		r.mu.Unlock()
		if err != nil {
			again.Reset(retryInterval)
		}
	}
}
