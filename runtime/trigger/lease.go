package trigger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// How long a node is taken for alive that can't be heard of any more. What it had
// begun is begun anew by others then; it has stopped by itself before.
const (
	leaseLife   = 30 * time.Second
	leaseMargin = 5 * time.Second // before its end, which clocks may see at different times
	leaseBeat   = leaseLife / 3
	leaseRetry  = 2 * time.Second
)

const leaseRecords = "node/leases/" // <node>: the id of its lease; expires

// Lease is what nodes that share a store know of each other's being alive. A node
// that claims something writes the id of its lease beside it; the claim holds as long
// as the lease does, and needs no writes of its own. A lease is renewed only while
// something is held under it. It is safe for concurrent use.
type Lease struct {
	store kv.Store
	node  string
	log   *slog.Logger
	beats sync.WaitGroup

	mu   sync.Mutex // guards what follows, and is held while the lease is written
	term *term      // nil if there is none
}

// term is a lease from its first write to its end. Terms of one node have different
// ids, so that nothing of an earlier one is taken for this one's.
type term struct {
	id       string
	revision uint64
	until    time.Time
	users    int
	beating  bool
	over     context.Context
	end      context.CancelFunc
}

// NewLease ends what a process that ran before had under the name of the node.
func NewLease(ctx context.Context, store kv.Store, node string, log *slog.Logger) (*Lease, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	err := store.Delete(ctx, leaseRecords+node, kv.DeleteOptions{})
	if err != nil && !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrNoSpace) { // then it ends in time, or with the next one
		return nil, fmt.Errorf("end lease of the node: %w", err)
	}
	return &Lease{store: store, node: node, log: log}, nil
}

// Held is a Lease in use.
type Held struct {
	ID   string
	Over context.Context // ends with the lease: stop then, for others may have begun
	done func()
}

// Release is called once.
func (h *Held) Release() { h.done() }

// Hold makes sure that the node has a lease, and keeps it until Release.
func (l *Lease) Hold(ctx context.Context) (*Held, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.term
	if t == nil || time.Until(t.until) < leaseBeat {
		if err := l.write(ctx); err != nil {
			return nil, fmt.Errorf("take lease: %w", err)
		}
		t = l.term
	}
	t.users++
	if !t.beating {
		t.beating = true
		l.beats.Go(func() { l.beat(t) })
	}
	return &Held{ID: t.id, Over: t.over, done: func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		t.users--
	}}, nil
}

// write begins a term, or goes on with the one there is. It needs l.mu.
func (l *Lease) write(ctx context.Context) error {
	now := time.Now()
	if t := l.term; t != nil && now.Before(t.until) {
		err := l.put(ctx, t, now)
		if errors.Is(err, kv.ErrConflict) { // the node was started anew
			l.end()
		}
		return err
	}
	l.end()
	t := &term{id: l.node + "/" + newID()}
	if err := l.put(ctx, t, now); err != nil {
		return err
	}
	t.over, t.end = context.WithCancel(context.Background())
	l.term = t
	return nil
}

func (l *Lease) put(ctx context.Context, t *term, now time.Time) error {
	key, opts := leaseRecords+l.node, kv.PutOptions{Expires: now.Add(leaseLife), Frees: true} // what waits is removed under it
	if t.revision > 0 {
		opts.If = kv.IfRevision(t.revision)
	}
	revision, err := l.store.Put(ctx, key, []byte(t.id), opts)
	if errors.Is(err, kv.ErrConflict) { // maybe with a write of its own, of which no answer came
		e, getErr := l.store.Get(ctx, key)
		if getErr != nil || string(e.Value) != t.id {
			return err
		}
		opts.If = kv.IfRevision(e.Revision)
		revision, err = l.store.Put(ctx, key, []byte(t.id), opts)
	}
	if err == nil {
		t.revision, t.until = revision, now.Add(leaseLife-leaseMargin)
	}
	return err
}

// end needs l.mu.
func (l *Lease) end() {
	if l.term != nil {
		l.term.end()
		l.term = nil
	}
}

// beat renews a term while somebody uses it.
func (l *Lease) beat(t *term) {
	for next := leaseBeat; next > 0; {
		select {
		case <-time.After(next):
			next = l.renew(t)
		case <-t.over.Done():
			return
		}
	}
}

// renew returns after how long it is to be called again; 0 is never.
func (l *Lease) renew(t *term) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.term != t:
		return 0
	case t.users == 0:
		t.beating = false
		return 0
	}
	ctx, cancel := context.WithDeadline(context.Background(), t.until)
	defer cancel()
	err := l.write(ctx)
	switch {
	case err == nil:
		return leaseBeat
	case l.term == t && time.Now().Before(t.until):
		l.log.Warn("the node's lease can't be renewed; it is tried again", "err", err)
		return min(leaseRetry, time.Until(t.until))
	}
	l.log.Error("the node has lost its lease; what it ran under it is stopped, for others go on with it", "err", err)
	l.end()
	return 0
}

// Live reports whether the node that had a lease with this id is taken for alive.
func (l *Lease) Live(ctx context.Context, id string) (bool, error) {
	e, err := l.store.Get(ctx, leaseRecords+id[:max(0, strings.LastIndexByte(id, '/'))])
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read lease: %w", err)
	}
	return string(e.Value) == id, nil
}

// Other reports whether a lease with this id is of another one that is taken for alive.
// Of a claim under this one's own its holder knows whether anything goes on: else it is
// left of a write that seemed to fail, and would stay for as long as the lease.
func (l *Lease) Other(ctx context.Context, id string) (bool, error) {
	l.mu.Lock()
	own := l.term != nil && l.term.id == id
	l.mu.Unlock()
	if own {
		return false, nil
	}
	return l.Live(ctx, id)
}

// NodeLive reports whether a node has a lease.
func (l *Lease) NodeLive(ctx context.Context, node string) (bool, error) {
	_, err := l.store.Get(ctx, leaseRecords+node)
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Close gives the lease up. Nothing is held any more.
func (l *Lease) Close(ctx context.Context) error {
	l.mu.Lock()
	t := l.term
	l.end()
	l.mu.Unlock()
	l.beats.Wait()
	if t == nil {
		return nil
	}
	err := l.store.Delete(ctx, leaseRecords+l.node, kv.DeleteOptions{If: kv.IfRevision(t.revision)})
	if errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrClosed) { // it is not this one's any more
		return nil
	}
	return err
}

// closeLease closes the lease that a trigger has of its own, if any, also once ctx has
// ended.
func closeLease(ctx context.Context, alone *Lease) {
	if alone != nil {
		alone.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it ends by itself as well
	}
}
