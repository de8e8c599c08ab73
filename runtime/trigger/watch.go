package trigger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// maxHops is how many changes in a row may each have led to the next one before that
// is taken for a loop: as often as Lambda lets functions call each other in a circle
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
const maxHops = 16

// KVTriggersConfig configures KVTriggers. Registry, Deliver, Report, Store and Lease are
// required.
type KVTriggersConfig struct {
	Registry interface {
		KVTriggered() []deploy.Function
		KVTriggersChanged() <-chan struct{}
	}
	// Deliver gives a Function a change, and waits for the end. What it writes to KV is
	// so many hops away from the first of changes that led to each other.
	Deliver func(ctx context.Context, f deploy.Function, k host.KVChange, hops int) (Ran, error)
	// Report tells the destination of a failure, durably; see Invocations.Report.
	Report func(ctx context.Context, f deploy.Function, to deploy.Destination, id string, failure []byte) error
	Store  kv.Store
	Lease  *Lease  // of the node
	Places *Places // default: NewPlaces(0)
	// Backlog is how many changes may wait for a trigger, and BacklogBytes how long they
	// may be together, for all triggers of an account. The oldest of more are dropped.
	// Defaults: 100,000 and 1 GiB.
	Backlog      int
	BacklogBytes int64
	Logger       *slog.Logger // default: discard
}

// KVTriggers deliver changes of keys to Functions, from the records that the store
// writes with each change: at least once, and those of one key in their order. One node
// at a time has a trigger: it claims it by its lease. It is safe for concurrent use.
type KVTriggers struct {
	cfg         KVTriggersConfig
	*background                 // followers
	closed      context.Context // nothing begins any more
	close       context.CancelFunc

	mu        sync.Mutex // guards followers
	followers map[string]*follower
}

// NewKVTriggers goes on with what was not delivered.
func NewKVTriggers(ctx context.Context, cfg KVTriggersConfig) (*KVTriggers, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Places == nil {
		cfg.Places = NewPlaces(0)
	}
	cfg.Backlog, cfg.BacklogBytes = cmp.Or(cfg.Backlog, defaultBacklogChanges), cmp.Or(cfg.BacklogBytes, defaultBacklogChanged)
	k := &KVTriggers{background: newBackground(), cfg: cfg, followers: map[string]*follower{}}
	k.closed, k.close = context.WithCancel(k.base)
	for prefix, see := range map[string]func(kv.Event){deploy.ChangeRecords: k.sawRecord, kvClaims: k.sawClaim} {
		w, err := cfg.Store.Watch(ctx, prefix)
		if err != nil {
			k.Shutdown(k.base)
			return nil, fmt.Errorf("watch changes: %w", err)
		}
		k.live.Go(func() { k.watch(w, prefix, see) })
	}
	k.follow()
	k.live.Go(k.run)
	return k, nil
}

// Shutdown begins no more deliveries, waits for those that go on until ctx ends, and
// cancels what is left then. They begin anew with the next start, or elsewhere.
func (k *KVTriggers) Shutdown(ctx context.Context) {
	k.mu.Lock()
	k.close()
	k.mu.Unlock()
	k.drain(ctx)
}

// run keeps a follower for each trigger.
func (k *KVTriggers) run() {
	for {
		select {
		case <-k.cfg.Registry.KVTriggersChanged():
			k.follow()
		case <-time.After(recheck): // for what another node changed
			k.follow()
		case <-k.closed.Done():
			return
		}
	}
}

// follow begins to follow new triggers, and ends with those that are no more.
func (k *KVTriggers) follow() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed.Err() != nil {
		return
	}
	there := map[string]bool{}
	for _, f := range k.cfg.Registry.KVTriggered() {
		for _, t := range f.KVTriggers {
			there[t.ID] = true
			if fl := k.followers[t.ID]; fl != nil {
				fl.set(f, t)
				continue
			}
			k.begin(f, t)
		}
	}
	for id, fl := range k.followers {
		if !there[id] {
			fl.end()
			delete(k.followers, id)
		}
	}
}

// begin needs k.mu.
func (k *KVTriggers) begin(f deploy.Function, t deploy.KVTrigger) {
	fl := newFollower(k, f, t)
	k.followers[t.ID] = fl
	k.live.Go(fl.run)
}

// watch sees what is written, by this node and by others.
func (k *KVTriggers) watch(w kv.Watcher, prefix string, see func(kv.Event)) {
	defer func() { w.Close() }()
	for k.closed.Err() == nil {
		ev, err := w.Next(k.closed)
		if err == nil {
			see(ev)
			continue
		}
		w.Close()
		for err != nil && k.closed.Err() == nil {
			if !errors.Is(err, kv.ErrLagged) {
				k.cfg.Logger.Error("changes of KV namespaces can't be watched; it is tried again", "err", err)
				pause(k.closed, leaseRetry)
			}
			var next kv.Watcher
			if next, err = k.cfg.Store.Watch(k.closed, prefix); err == nil {
				w = next
			}
		}
		k.wakeAll()
	}
}

// sawRecord wakes the one for whom there is a new record.
func (k *KVTriggers) sawRecord(ev kv.Event) {
	if ev.Deleted {
		return
	}
	id, name, _ := strings.Cut(strings.TrimPrefix(ev.Entry.Key, deploy.ChangeRecords), "/")
	k.mu.Lock()
	defer k.mu.Unlock()
	if fl := k.followers[id]; fl != nil {
		fl.saw(name, ev.Entry.Revision)
	}
}

// sawClaim wakes the one whose trigger another node does not have any more.
func (k *KVTriggers) sawClaim(ev kv.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if fl := k.followers[strings.TrimPrefix(ev.Entry.Key, kvClaims)]; fl != nil && ev.Deleted {
		fl.free()
	}
}

func (k *KVTriggers) wakeAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, fl := range k.followers {
		fl.sawAll()
	}
}

// KVTriggerState is how far a KV trigger has come.
type KVTriggerState struct {
	Waiting  int       // changes that are not delivered, or MaxCounted
	Oldest   time.Time // when the first of them was made; zero if there is none
	Retrying int       // of them, those that have failed before
	Error    string    // of one of these
	Node     string    // which delivers; empty if nothing is to be done
}

// MaxCounted is up to how many changes are counted.
const MaxCounted = 10_000

// State looks how far a trigger has come.
func (k *KVTriggers) State(ctx context.Context, t deploy.KVTrigger) (s KVTriggerState, err error) {
	s.Node, err = k.claimant(ctx, t.ID)
	if err != nil {
		return s, err
	}
	for opts := (kv.ListOptions{Prefix: deploy.ChangeRecords + t.ID + "/"}); ; {
		page, err := k.cfg.Store.List(ctx, opts)
		if err != nil {
			return s, fmt.Errorf("list changes: %w", err)
		}
		for _, e := range page.Entries {
			if s.Waiting == MaxCounted {
				return s, nil
			}
			s.Waiting++
			s.count(e)
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return s, nil
		}
	}
}

func (s *KVTriggerState) count(e kv.Entry) {
	c, err := kv.ChangeOf(e)
	if err != nil {
		s.Error = err.Error()
		return
	}
	if s.Oldest.IsZero() || c.Time.Before(s.Oldest) {
		s.Oldest = c.Time
	}
	if c.Attempts > 0 {
		s.Retrying++
		s.Error = c.Error
	}
}
