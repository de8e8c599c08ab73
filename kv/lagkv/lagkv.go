// Package lagkv has Stores as the nodes of a cluster have them, in memory and for
// tests: what one node writes is in one order for all, and each reads a copy of its
// own that is behind, by as much as a test likes, until it writes or is synced.
//
// Start reading at Cluster; each of its nodes is a kv.Store and a kv.Syncer.
package lagkv

import (
	"context"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// Cluster is what all nodes have in common: the writes, in their order.
type Cluster struct {
	now   func() time.Time
	truth *memkv.Store

	mu    sync.Mutex // guards what follows, and orders the writes
	log   []write
	nodes []*Store
}

// write is one that was done. Stores that do the same writes in the same order give
// them the same revisions.
type write struct {
	key    string
	value  []byte
	opts   kv.PutOptions
	remove bool
}

// New returns a Cluster without nodes. now may be nil: time.Now.
func New(now func() time.Time) *Cluster {
	return &Cluster{now: now, truth: memkv.New(memkv.Config{Now: now})}
}

// Truth is what a node would have that is not behind. It is only read.
func (c *Cluster) Truth() kv.Store { return c.truth }

// Join makes a node, whose copy has everything up to now. lag says how long each
// write takes to get there; nil is never, unless the node writes or is synced.
func (c *Cluster) Join(lag func() time.Duration) *Store {
	s := &Store{cluster: c, copy: memkv.New(memkv.Config{Now: c.now}), lag: lag, news: make(chan struct{}, 1)}
	c.mu.Lock()
	s.apply(len(c.log))
	c.nodes = append(c.nodes, s)
	c.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if lag != nil {
		s.work.Go(func() { s.follow(ctx) })
	}
	return s
}

// write does one, and has the writer's copy catch up with it.
func (c *Cluster) write(s *Store, w write, do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	w.opts.If = kv.AnyRevision
	c.log = append(c.log, w)
	s.apply(len(c.log))
	for _, other := range c.nodes {
		select {
		case other.news <- struct{}{}:
		default:
		}
	}
	return nil
}
