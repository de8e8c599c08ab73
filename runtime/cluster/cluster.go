// Package cluster knows the nodes that share a store: that they may work on it
// together (Join), which there are and how they are (Members), and which are to
// take no new work (Drain). It goes by the store alone. Start reading at Join and
// New.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

const (
	nodeRecords  = "node/nodes/"  // <id>: Node; expires
	drainRecords = "node/drains/" // <id>: drain
	// Of nodes that have a NATS server of the cluster in them: Node, which stays when the
	// node ends.
	serverRecords  = "node/servers/"
	removedRecords = "node/removed/" // <id>: tombstone; stays for good
)

// How often a node says how it is: a cluster of many nodes is not to be kept busy by
// that, and so each of more than manyNodes does it more rarely.
const (
	beat      = 5 * time.Second
	manyNodes = 50
	missed    = 3 * beat  // after that, or three beats of a large cluster, a node is behind
	forget    = time.Hour // after that, it is not listed any more
)

// What a node is.
const (
	Ready    = "ready"
	Draining = "draining" // takes no new work; answers requests
	// Behind: it says nothing of itself. It may have ended, or be cut off, and then it
	// serves from its copy.
	Behind = "behind"
)

// Load is what a node has to do.
type Load struct {
	Requests    float64 `json:"requests_per_second"` // in the last seconds
	Concurrency int64   `json:"concurrency"`         // that are under way
	Memory      int64   `json:"memory_bytes"`        // of code and running guests
}

// Node is one of those that share the store, as it said last.
type Node struct {
	ID      string    `json:"id"`
	HTTP    string    `json:"http"`  // where Functions answer
	Admin   string    `json:"admin"` // where the control API answers; empty: nowhere
	Version string    `json:"version"`
	Format  int       `json:"format"` // the newest that it understands
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"` // by the node's clock
	State   string    `json:"state"`
	Server  string    `json:"server,omitempty"` // where its NATS server is, as in peers; empty: it has none
	Every   int64     `json:"every_ms"`         // how often it says so
	Load    Load      `json:"load"`
}

// Config of Members. Store and Self are required.
type Config struct {
	Store kv.Store
	// Self is what does not change of this node.
	Self Node
	// Load is asked at every beat. Default: none.
	Load func() Load
	// Shared says that other nodes use the store: without it this one keeps what it is
	// to itself.
	Shared bool
	// Drained is told when this node is to take no new work, or may again, and once in
	// the beginning. Calls follow each other.
	Drained func(bool)
	// Removed is told once if this node was removed from the cluster.
	Removed func(since time.Time)
	// Servers are those in the nodes, if this node has one of them.
	Servers Servers
	Logger  *slog.Logger // default: discard
}

// Members is what a node tells and knows of nodes. It is safe for concurrent use.
type Members struct {
	cfg     Config
	drained atomic.Bool
	removed atomic.Bool
	lasting atomic.Bool  // the record that stays was written
	told    atomic.Int64 // when other nodes could be told of this one last, in Unix milliseconds
	every   atomic.Int64 // in milliseconds
	stop    context.CancelFunc
	work    sync.WaitGroup
	reading sync.Mutex // held from reading whether it is drained until drained says so
}

// New reads whether this node is drained, and begins to tell of it.
func New(ctx context.Context, cfg Config) (*Members, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Load == nil {
		cfg.Load = func() Load { return Load{} }
	}
	m := &Members{cfg: cfg}
	drains, err := cfg.Store.Watch(ctx, drainRecords+cfg.Self.ID)
	if err != nil {
		return nil, fmt.Errorf("follow drains: %w", err)
	}
	removals, err := cfg.Store.Watch(ctx, removedRecords+cfg.Self.ID)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("follow removals: %w", err), drains.Close())
	}
	if err := errors.Join(m.readDrain(ctx), m.readRemoved(ctx)); err != nil {
		return nil, errors.Join(err, drains.Close(), removals.Close())
	}
	m.told.Store(time.Now().UnixMilli())
	looping, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.work.Go(func() { m.follow(looping, drains, drainRecords, m.readDrain) })
	m.work.Go(func() { m.follow(looping, removals, removedRecords, m.readRemoved) })
	if cfg.Servers != nil {
		m.work.Go(func() { m.keepOut(looping) })
	}
	if cfg.Shared {
		m.work.Go(func() { m.beat(looping) })
	}
	return m, nil
}

// Close ends what New began, and takes this node off the list.
func (m *Members) Close() error {
	m.stop()
	m.work.Wait()
	if !m.cfg.Shared {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), beat)
	defer cancel()
	err := m.cfg.Store.Delete(ctx, nodeRecords+m.cfg.Self.ID, kv.DeleteOptions{})
	if errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrNoSpace) || errors.Is(err, context.DeadlineExceeded) {
		return nil // it is forgotten in time
	}
	return err
}
