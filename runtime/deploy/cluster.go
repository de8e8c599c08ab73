package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv/lease"
	"golang.org/x/time/rate"
)

// Cluster says that other nodes change the same Store. Each of them needs one, too.
type Cluster struct {
	// Node is the id of this node. Required.
	Node string
	// Lease is how long the others wait when a node dies while it changes something;
	// the same on all nodes. Default lease.DefaultTTL.
	Lease time.Duration
	// Grace is how long blobs stay that no record names any more: others may still
	// serve what needs them. Default DefaultGrace.
	Grace time.Duration
}

// DefaultGrace is Cluster.Grace where nothing is said.
const DefaultGrace = time.Hour

func (c Cluster) withDefaults() Cluster {
	if c.Lease <= 0 {
		c.Lease = lease.DefaultTTL
	}
	if c.Grace <= 0 {
		c.Grace = DefaultGrace
	}
	return c
}

// Records by which nodes agree on who does something.
const (
	changesLease = lockRecords + "changes" // to what is deployed
	dutiesLease  = lockRecords + "duties"  // what is done once for all nodes
)

// cluster is what a Registry has of the other nodes.
type cluster struct {
	Cluster
	changes *lease.Lock
	duties  *lease.Lock
	leads   atomic.Bool   // this node has the duties
	asks    *rate.Limiter // of other nodes for what this one does not know
	follower
	behind behind
}

func newCluster(cfg Config) *cluster {
	if cfg.Cluster == nil {
		return nil
	}
	c := &cluster{Cluster: cfg.Cluster.withDefaults(), follower: newFollower(), behind: newBehind(), asks: rate.NewLimiter(asksPerSecond, asksPerSecond)}
	of := func(key string) *lease.Lock {
		return lease.New(lease.Config{Store: cfg.Store, Key: key, Owner: c.Node, TTL: c.Lease})
	}
	c.changes, c.duties = of(changesLease), of(dutiesLease)
	return c
}

// join is open where there are other nodes. It needs none of them: what their copy of
// the Store has is served.
func (r *Registry) join(ctx, work context.Context) error {
	changes, err := r.cfg.Store.Watch(ctx, nodeRecords) // first, so that none is missed
	if err != nil {
		return fmt.Errorf("watch registry: %w", err)
	}
	s, err := r.load(ctx)
	if err == nil {
		err = r.loadAssets(ctx)
	}
	if err == nil {
		err = r.beginLog(ctx, s)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("load registry: %w", err), changes.Close())
	}
	r.current.Store(s)
	r.work.Go(func() { r.watchRecords(work, changes) })
	r.work.Go(func() { r.applyRecords(work) })
	r.work.Go(func() { r.lead(work) })
	r.work.Go(func() { r.collectGarbageOfAll(work) })
	for range loads {
		r.work.Go(func() { r.cluster.behind.work(work) })
	}
	return nil
}

// asksPerSecond bounds how often the cluster is asked for a session that is not known.
const asksPerSecond = 50

// errCutOff: a change was under way when others could no longer wait for it.
var errCutOff = &host.Error{Code: host.CodeUnavailable, Msg: "this node was cut off from its cluster during the change, which may have been made; look, and try again"}

// errNotTakenOver: a change would be checked against what is deployed no more.
var errNotTakenOver = &host.Error{Code: host.CodeUnavailable, Msg: "this node could not take over what another node has changed, so it can't check this change; its log says which record it is. Try again, or ask another node"}

// exclusively lets do change records, which nobody else on any node does meanwhile.
// The snapshot has all that was changed before. do holds r.mu, and is not interrupted
// when ctx ends; its own context ends when others need not wait any longer. The error
// wraps kv.ErrUnavailable while a cluster is away.
func (r *Registry) exclusively(ctx context.Context, do func(context.Context) error) error {
	if r.cluster != nil {
		return r.exclusivelyInCluster(ctx, do)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return do(context.WithoutCancel(ctx))
}

func (r *Registry) exclusivelyInCluster(ctx context.Context, do func(context.Context) error) (err error) {
	held, err := r.cluster.changes.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("wait for what others change: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	defer func() {
		if err != nil && held.Lost() {
			err = errors.Join(errCutOff, err)
		}
		if released := held.Release(ctx); released != nil {
			r.cfg.Logger.Warn("others wait, since the end of a change could not be told", "err", released)
		}
	}()
	own, cancel := held.Context(ctx)
	defer cancel()
	if err := r.reach(own, held.Revision()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.applyDirty(own); errors.Is(err, errNotTakenOver) {
		return errNotTakenOver
	}
	return do(own)
}

// checkUpToDate lets do look at what is deployed before a change. An error counts only
// where nothing is missing that other nodes have changed.
func (r *Registry) checkUpToDate(ctx context.Context, do func(context.Context, *snapshot) error) error {
	err := do(ctx, r.current.Load())
	if err == nil || r.cluster == nil {
		return err
	}
	return r.exclusively(ctx, func(ctx context.Context) error { return do(ctx, r.current.Load()) })
}

// leads says whether this node does what is done once for all nodes.
func (r *Registry) leads() bool { return r.cluster == nil || r.cluster.leads.Load() }

// lead takes the duties when nobody has them, and keeps them, until ctx ends.
func (r *Registry) lead(ctx context.Context) {
	for ctx.Err() == nil {
		held, err := r.cluster.duties.Acquire(ctx)
		if err != nil {
			r.pause(ctx, retryInterval) // it is away; nothing is due that can't wait
			continue
		}
		r.cluster.leads.Store(true)
		r.cfg.Logger.Info("this node has the duties of the cluster")
		r.wakeDuties()
		select {
		case <-ctx.Done():
		case <-held.Done():
			r.cfg.Logger.Info("this node has the duties no more")
		}
		r.cluster.leads.Store(false)
		_ = held.Release(context.WithoutCancel(ctx)) // else it ends by itself
	}
}

// wakeDuties has all look for what they have to do.
func (r *Registry) wakeDuties() {
	r.wakeEmpty()
	r.wake()
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	r.files.wakeUp()
}

// pause waits, or until ctx ends.
func (r *Registry) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
