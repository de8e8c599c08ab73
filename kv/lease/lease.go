// Package lease lets one of several nodes that share a kv.Store do something, such as
// change what is deployed, while the others wait.
//
// A lease is a record that is taken, renewed and given back by comparing its revision.
// Nobody compares clocks: a holder counts from the moment at which it began to write,
// and who waits from the moment at which it saw the record, which is later. So a lease
// whose holder died is free once it was seen unchanged for as long as it lasts.
//
// A holder that was stopped for longer than that may not know it yet. Held.Context
// ends then, and a Store writes nothing with a context that has ended; what is left is
// a write that is on its way already. Who writes with a lease therefore compares the
// revisions of what it writes as well. Start reading at Lock.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// DefaultTTL is how long a lease lasts without being renewed.
const DefaultTTL = 10 * time.Second

// Config of a Lock. Store, Key and Owner are required.
type Config struct {
	Store kv.Store
	Key   string        // of the record
	Owner string        // who would hold it, for people
	TTL   time.Duration // the same on all nodes; default DefaultTTL
}

// Lock is one node's part in a lease. Within the process one caller holds it at a
// time. It is safe for concurrent use.
type Lock struct {
	cfg      Config
	instance string        // of this Lock, so that it knows what it wrote
	turn     chan struct{} // capacity 1: taken by the holder, or by who tries
}

// New returns a Lock that nobody holds.
func New(cfg Config) *Lock {
	if cfg.TTL <= 0 {
		cfg.TTL = DefaultTTL
	}
	return &Lock{cfg: cfg, instance: rand.Text(), turn: make(chan struct{}, 1)}
}

// record is what the Store has.
type record struct {
	Owner    string `json:"owner,omitempty"` // empty: it is free
	Instance string `json:"instance,omitempty"`
	TTL      int64  `json:"ttl_ms,omitempty"`
}

// state is the record as it was seen.
type state struct {
	record
	revision uint64
	since    time.Time // seen at first
}

// free says whether the lease may be taken: nobody has it, this Lock has it and does
// not know (a write that seemed to fail), or it was not renewed.
func (s state) free(instance string, now time.Time) bool {
	return s.Owner == "" || s.Instance == instance || !now.Before(s.ends())
}

func (s state) ends() time.Time { return s.since.Add(time.Duration(s.TTL) * time.Millisecond) }

// Acquire waits until the lease is this caller's. The error is that of the Store, such
// as kv.ErrUnavailable, or that of ctx.
func (l *Lock) Acquire(ctx context.Context) (*Held, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h, err := l.acquire(ctx)
	if err != nil {
		<-l.turn
		return nil, fmt.Errorf("take lease %s: %w", l.cfg.Key, err)
	}
	return h, nil
}

// acquire tries as if nobody else wanted it; only then it watches.
func (l *Lock) acquire(ctx context.Context) (*Held, error) {
	seen, err := l.look(ctx, state{})
	if err != nil {
		return nil, err
	}
	if seen.free(l.instance, time.Now()) {
		h, err := l.take(ctx, seen.revision)
		if !errors.Is(err, kv.ErrConflict) {
			return h, err
		}
	}
	return l.wait(ctx)
}

// wait is acquire where others have it, or were faster.
func (l *Lock) wait(ctx context.Context) (*Held, error) {
	w, err := l.cfg.Store.Watch(ctx, l.cfg.Key)
	if err != nil {
		return nil, err
	}
	defer func() { w.Close() }()
	seen, synced := state{}, time.Time{}
	for told := false; ; {
		// Who is cut off, or far behind, would wait; but each time costs a write, and
		// nodes that want the duties of a cluster are told of each renewal.
		if !told || time.Since(synced) >= l.cfg.TTL {
			if err := kv.Sync(ctx, l.cfg.Store); err != nil {
				return nil, err
			}
			synced = time.Now()
		}
		if seen, err = l.look(ctx, seen); err != nil {
			return nil, err
		}
		if seen.free(l.instance, time.Now()) {
			h, err := l.take(ctx, seen.revision)
			if !errors.Is(err, kv.ErrConflict) {
				return h, err
			}
			told = false
			continue
		}
		if w, told, err = l.next(ctx, w, seen.ends()); err != nil {
			return nil, err
		}
	}
}

// next waits for a change of the record, of which it was told, or until a time.
func (l *Lock) next(ctx context.Context, w kv.Watcher, until time.Time) (_ kv.Watcher, told bool, err error) {
	soon, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	_, err = w.Next(soon)
	switch {
	case err == nil:
		return w, true, nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return w, false, nil
	case errors.Is(err, kv.ErrLagged):
		w.Close()
		w, err = l.cfg.Store.Watch(ctx, l.cfg.Key)
	}
	return w, false, err
}

// look reads the record; before is how it was seen last.
func (l *Lock) look(ctx context.Context, before state) (state, error) {
	e, err := l.cfg.Store.Get(ctx, l.cfg.Key)
	if errors.Is(err, kv.ErrNotFound) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	if e.Revision == before.revision {
		return before, nil
	}
	s := state{revision: e.Revision, since: time.Now()}
	if err := json.Unmarshal(e.Value, &s.record); err != nil {
		return s, fmt.Errorf("read record: %w", err)
	}
	return s, nil
}

// put writes the record over the one with a revision.
func (l *Lock) put(ctx context.Context, r record, revision uint64) (uint64, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	return l.cfg.Store.Put(ctx, l.cfg.Key, data, kv.PutOptions{If: kv.IfRevision(revision), Frees: true})
}

func (l *Lock) mine() record { return record{l.cfg.Owner, l.instance, l.cfg.TTL.Milliseconds()} }
