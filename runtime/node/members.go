package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// openMembers tells other nodes of this one, and learns whether it is drained.
func (n *Node) openMembers(ctx context.Context, store kv.Store, id string, servers cluster.Servers) (err error) {
	n.members, err = cluster.New(ctx, cluster.Config{
		Store: store, Shared: n.cfg.Cluster != nil, Logger: n.cfg.Logger, Load: (&loadMeter{node: n}).read, Drained: n.intake.pause,
		Removed: n.isRemoved, Servers: servers,
		Self: cluster.Node{Server: n.cfg.Cluster.ownPeer(), ID: id, HTTP: n.HTTPAddr(), Admin: n.AdminAddr(), Version: n.cfg.Version, Started: time.Now().UTC().Truncate(time.Second)},
	})
	if err != nil {
		return fmt.Errorf("open nodes: %w", err)
	}
	n.closers = append(n.closers, n.members.Close)
	return nil
}

// loadMeter measures between two questions, which follow each other by seconds.
type loadMeter struct {
	node *Node

	mu    sync.Mutex // guards what follows
	at    time.Time
	count int64
	rate  float64
}

func (l *loadMeter) read() cluster.Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	var count int64
	for o := range host.Outcome(host.Outcomes) {
		count += l.node.metrics.Outcome(o)
	}
	if past := time.Since(l.at); past > time.Second {
		if !l.at.IsZero() {
			l.rate = float64(count-l.count) / past.Seconds()
		}
		l.at, l.count = time.Now(), count
	}
	return cluster.Load{Requests: l.rate, Concurrency: l.node.registry.Running(), Memory: l.node.registry.CodeBytes() + l.node.registry.RunningBytes()}
}

// others is for a registry that other nodes change as well.
func (n *Node) others() *deploy.Cluster {
	if n.cfg.Cluster == nil {
		return nil
	}
	return &deploy.Cluster{Node: n.id}
}

// ID is the name by which the node knows itself again.
func (n *Node) ID() string { return n.id }

var (
	errDraining = errors.New("the node is shutting down")
	errRemoved  = errors.New("the node was removed from its cluster: stop it")
	errDrained  = errors.New("the node is drained: it takes no new work until 'mayfly nodes resume'")
)

func (n *Node) ready() error {
	switch {
	case n.draining.Load():
		return errDraining
	case n.members.Removed():
		return errRemoved
	case n.members.Drained():
		return errDrained
	}
	return nil
}

// health is what the node says of itself to everybody.
func (n *Node) health() control.Health {
	h := control.Health{Version: n.cfg.Version, Node: n.id}
	if n.draining.Load() || n.members.Drained() || n.members.Removed() {
		h.Status = "draining"
	}
	if n.shared == nil {
		return h
	}
	h.Cluster = n.clusterHealth()
	if n.members.Removed() {
		h.Cluster.Problem = errRemoved.Error()
	}
	h.Cluster.Behind = len(n.registry.Behind())
	return h
}

// clusterHealth is of a node that shares its store.
func (n *Node) clusterHealth() *control.ClusterHealth {
	s := n.shared.Status()
	h := &control.ClusterHealth{Connected: s.Connected, Since: s.Since.UTC(), Revision: s.Revision, Problem: s.Problem}
	if silent := n.members.Silent(); s.Connected && !silent.IsZero() {
		h.Connected, h.Since, s.Current = false, silent.UTC(), silent
		h.Problem = "the NATS servers take no writes: more than half of them have to be there, and reach each other"
	}
	if !h.Connected {
		h.CopyAge = time.Since(h.Since).Milliseconds()
		h.Refuses = time.Since(s.Current) > n.cfg.Cluster.staleAfter()
	}
	return h
}

// mayChange refuses changes by a node that has not heard for too long what others have
// changed: tokens among it.
func (n *Node) mayChange() error {
	if n.shared == nil {
		return nil
	}
	if n.members.Removed() {
		return host.Errorf(host.CodeUnavailable, "this node was removed from its cluster, and changes nothing: ask another node")
	}
	h := n.clusterHealth()
	if !h.Refuses {
		return nil
	}
	return host.Errorf(host.CodeUnavailable, "this node does not hear what others change since %s, the end of tokens among it, and so changes nothing; reads and requests go on. Ask another node, or try again once it is back: GET /healthz tells",
		h.Since.Format(time.RFC3339))
}
