package natskv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/kv"
)

// offline holds the writes that were taken while the cluster could not be reached, of
// the keys for which Config.Offline says so. Get and List show them over the copy.
// They are sent in order when it can, before any other write: the last writer wins,
// which is this node.
type offline struct {
	store *Store
	held  atomic.Int64 // length of latest: mostly there is nothing to look for

	mu      sync.Mutex // guards the fields below
	journal *journal
	waiting []held          // in the journal
	latest  map[string]held // by key
	next    uint64          // the next revision of a write that waits
}

// held is the newest of the writes of a key.
type held struct {
	record   record
	revision uint64 // as others see it until it was sent; then that of the stream
	sent     bool
}

// offlineRevisions are those of writes that wait. A stream gives none of them, so
// nothing that compares with them happens.
const offlineRevisions = 1 << 62

func (o *offline) open(s *Store) error {
	o.store, o.latest, o.next = s, map[string]held{}, offlineRevisions
	if s.cfg.Offline == nil {
		return nil
	}
	j, records, err := openJournal(filepath.Join(s.cfg.Dir, "journal"))
	if j == nil {
		return err
	}
	if err != nil {
		s.cfg.Logger.Error("writes that waited for the cluster may be lost", "err", err)
	}
	o.journal = j
	if err := s.loadRules(); err != nil {
		s.cfg.Logger.Error("writes that wait for the cluster are not logged as changes", "err", err)
	}
	for _, r := range records {
		o.note(r)
	}
	return nil
}

func (o *offline) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.journal == nil {
		return nil
	}
	return o.journal.close()
}

// note needs o.mu, or that nobody else knows o.
func (o *offline) note(r record) uint64 {
	o.next++
	h := held{record: r, revision: o.next}
	o.waiting = append(o.waiting, h)
	o.latest[r.entry.Key] = h
	o.held.Store(int64(len(o.latest)))
	return o.next
}

// takes reports whether a write may wait.
func (o *offline) takes(w *writing) bool {
	_, compares := w.cond.Revision()
	return o.journal != nil && !compares && o.store.cfg.Offline(w.record.entry.Key)
}

// add takes a write that the cluster did not, unless it can again.
func (o *offline) add(w *writing, cause error) (uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.store.streams.Load() != nil || diverged(o.store.state.cause()) {
		return 0, cause
	}
	r := w.record
	r.object = ""
	if err := o.store.cfg.Room(int64(r.size())); err != nil {
		return 0, err
	}
	if err := o.journal.add(r); err != nil {
		return 0, fmt.Errorf("keep write of key %q: %w", r.entry.Key, err)
	}
	r.entry.Value, r.entry.Metadata = slices.Clone(r.entry.Value), slices.Clone(r.entry.Metadata)
	return o.note(r), nil
}

// send sends what waits, and lets writes go to the cluster again once nothing does.
func (o *offline) send(ctx context.Context, st *streams) error {
	for sent := 0; ; sent++ {
		o.mu.Lock()
		if len(o.waiting) == 0 {
			err := o.finish(st, sent)
			o.mu.Unlock()
			return err
		}
		first := o.waiting[0]
		o.mu.Unlock()
		revision, err := o.sendOne(ctx, st, first.record)
		if err != nil {
			return fmt.Errorf("send write of key %q that waited: %w", first.record.entry.Key, err)
		}
		o.wasSent(first, revision)
	}
}

// wasSent notes that the write that waited for longest has a revision of the stream.
func (o *offline) wasSent(first held, revision uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = o.waiting[1:]
	if key := first.record.entry.Key; o.latest[key].revision == first.revision {
		o.latest[key] = held{record: first.record, revision: revision, sent: true}
	}
}

// finish needs o.mu.
func (o *offline) finish(st *streams, sent int) error {
	if sent > 0 {
		o.store.cfg.Logger.Info("sent writes that waited for the cluster", "writes", sent)
		if err := o.journal.clear(); err != nil {
			return fmt.Errorf("clear journal: %w", err)
		}
	}
	o.store.streams.Store(st)
	return nil
}

func (o *offline) sendOne(ctx context.Context, st *streams, r record) (uint64, error) {
	if r.entry.ExpiredAt(o.store.cfg.Now()) {
		r = record{entry: kv.Entry{Key: r.entry.Key}, deleted: true}
	}
	ctx, cancel := context.WithTimeout(ctx, o.store.timeFor(len(r.entry.Value)))
	defer cancel()
	w := &writing{Store: o.store, streams: st, record: r, release: func() {}}
	defer func() { w.release() }()
	return w.do(ctx)
}

// landed forgets a write that the copy has, or that was overwritten in the cluster.
func (o *offline) landed(key string, revision uint64) {
	if o.held.Load() == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if h, ok := o.latest[key]; ok && h.sent && h.revision <= revision {
		delete(o.latest, key)
		o.held.Store(int64(len(o.latest)))
	}
}

// get is the newest write of key that the copy does not have.
func (o *offline) get(key string) (e kv.Entry, absent, ok bool) {
	if o.held.Load() == 0 {
		return kv.Entry{}, false, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h, ok := o.latest[key]
	if !ok {
		return kv.Entry{}, false, false
	}
	e = h.entry()
	e.Value = slices.Clone(h.record.entry.Value)
	return e, h.record.deleted || e.ExpiredAt(o.store.cfg.Now()), true
}

// entry has no value.
func (h held) entry() kv.Entry {
	e := h.record.entry
	e.Revision, e.Value, e.Metadata = h.revision, nil, slices.Clone(e.Metadata)
	return e
}

// Waiting is how many writes wait for the cluster.
func (s *Store) Waiting() int {
	s.offline.mu.Lock()
	defer s.offline.mu.Unlock()
	return len(s.offline.waiting)
}

// accept writes to the cluster, or lets the write wait for it if it may.
func (s *Store) accept(ctx context.Context, w *writing) (revision uint64, err error) {
	if !s.offline.takes(w) {
		return s.write(ctx, w)
	}
	away := fmt.Errorf("write key %q: %w", w.record.entry.Key, kv.ErrUnavailable)
	if s.streams.Load() == nil {
		if revision, err = s.wait(ctx, w, away); !errors.Is(err, kv.ErrUnavailable) {
			return revision, err
		}
	}
	if revision, err = s.write(ctx, w); errors.Is(err, kv.ErrUnavailable) {
		return s.wait(ctx, w, err)
	}
	return revision, err
}

func (s *Store) wait(ctx context.Context, w *writing, cause error) (uint64, error) {
	if err := s.life.Enter(ctx); err != nil {
		return 0, err
	}
	defer s.life.Leave()
	return s.offline.add(w, cause)
}
