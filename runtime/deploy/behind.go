package deploy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/runtime"
)

// Behind is a Function of which this node does not serve the newest Deployment yet,
// because a Version of it is being loaded, or can't be.
type Behind struct {
	Account  string
	Function string
	Since    time.Time
	Err      error // why it could not be loaded; nil if it was not tried yet
}

// behind is which Functions are, and what is to be loaded.
type behind struct {
	mu    sync.Mutex // guards what follows
	list  map[functionID]Behind
	queue []load
	wake  chan struct{} // capacity 1: there may be something in queue
}

// load is something to be loaded.
type load struct {
	do   func(context.Context) (done bool)
	wait time.Duration // before it is tried again
}

// loads is how many are loaded at the same time, and maxRetry how rarely it is tried.
const (
	loads    = 4
	maxRetry = time.Minute
)

func newBehind() behind {
	return behind{list: map[functionID]Behind{}, wake: make(chan struct{}, 1)}
}

// Behind are the Functions of which the node does not serve the newest Deployment,
// ordered by account and name. On a node without others there are none.
func (r *Registry) Behind() (list []Behind) {
	if r.cluster == nil {
		return nil
	}
	b := &r.cluster.behind
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.list {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Behind) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Function, b.Function))
	})
	return list
}

func (b *behind) note(id functionID, err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, there := b.list[id]
	if !there {
		one = Behind{Account: id.account, Function: id.name, Since: now}
	}
	one.Err = err
	b.list[id] = one
}

func (b *behind) forget(id functionID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.list, id)
}

func (b *behind) add(l load) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, l)
	b.poke()
}

// poke needs b.mu.
func (b *behind) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *behind) next() (l load, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return l, false
	}
	l, b.queue = b.queue[0], b.queue[1:]
	if len(b.queue) > 0 {
		b.poke()
	}
	return l, true
}

// work loads what is to be loaded, until ctx ends.
func (b *behind) work(ctx context.Context) {
	for {
		l, ok := b.next()
		switch {
		case !ok:
			select {
			case <-ctx.Done():
				return
			case <-b.wake:
			}
		case ctx.Err() != nil:
			return
		case !l.do(ctx):
			time.AfterFunc(l.wait, func() { b.add(load{l.do, min(2*l.wait, maxRetry)}) })
		}
	}
}

// bringUp loads what a Deployment of others needs, in the background, and then lets it
// serve. What served before does until then.
func (r *Registry) bringUp(d *deployed) {
	if r.cluster == nil {
		return
	}
	if d.live != d.serving {
		r.cluster.behind.note(d.id(), nil, r.now())
	}
	r.cluster.behind.add(load{func(ctx context.Context) bool { return r.loadDeployed(ctx, d) }, retryInterval})
}

// loadDeployed reports whether nothing more is to be done: the Versions serve, or others
// have taken their place.
func (r *Registry) loadDeployed(ctx context.Context, d *deployed) (done bool) {
	var err error
	for _, a := range d.serving.actives() {
		if r.superseded(d) {
			return true
		}
		_, failed := a.Snapshot(ctx, r.cfg.Now())
		err = errors.Join(err, failed)
	}
	if ctx.Err() != nil || r.superseded(d) || errors.Is(err, runtime.ErrClosed) {
		return true
	}
	if err != nil {
		r.cluster.behind.note(d.id(), err, r.now())
		r.cfg.Logger.Error("what was deployed on another node can't be loaded; what served before goes on", "account", d.Account, "function", d.Name, "err", err)
		return false
	}
	r.goLive(d)
	return true
}

func (r *Registry) superseded(d *deployed) bool { return r.current.Load().functions[d.id()] != d }

// goLive lets what the record says serve.
func (r *Registry) goLive(d *deployed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.superseded(d) {
		return
	}
	if d.live == d.serving {
		r.cluster.behind.forget(d.id())
		return
	}
	next, now := r.current.Load().clone(), *d
	now.live = d.serving
	next.functions[d.id()] = &now
	if err := next.buildTable(); err != nil {
		r.cfg.Logger.Error("serve what was deployed on another node", "account", d.Account, "function", d.Name, "err", err)
		return
	}
	r.publish(next)
}
