package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/space"
	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/nats-io/nats.go"
)

// patience is how long a node without a copy waits for NATS servers elsewhere. For
// servers in the nodes it waits as long as it takes: the others may have to be started.
const patience = time.Minute

// openData opens what the node keeps, by itself or with others.
func (n *Node) openData(ctx context.Context, id string) (*Data, error) {
	cfg := DataConfig{Dir: n.dir(), Reserve: n.cfg.Reserve, Logger: n.cfg.Logger}
	if n.cfg.Cluster == nil {
		return OpenData(cfg)
	}
	d := &Data{}
	if err := n.openShared(ctx, d, cfg, id); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (n *Node) openShared(ctx context.Context, d *Data, cfg DataConfig, id string) (err error) {
	if err := n.cfg.Cluster.check(); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if exists(cfg.Dir.KV()) {
		return fmt.Errorf("open data directory %s: it is of a node without a cluster, and what it has would not be there: take a new directory, and bring that into the cluster with 'mayfly backup' and 'mayfly restore'", cfg.Dir)
	}
	d.Guard, err = space.New(space.Config{Dir: string(cfg.Dir), Reserve: cfg.Reserve, Least: leastReserve, Refused: func() {}})
	if err != nil {
		return fmt.Errorf("open data directory %s: %w", cfg.Dir, err)
	}
	shared, err := n.shareConfig(cfg)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	shared.Room, shared.Needed = d.Guard.CheckAccepted, n.neededBlobs
	if err := mayStart(cfg.Dir); err != nil {
		return err
	}
	if n.cfg.Cluster.Embedded {
		if d.server, err = n.startServer(ctx, id, shared); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		if err := d.server.Bring(ctx); err != nil {
			return bringProblem(err)
		}
		shared.Join = !n.cfg.Cluster.first()
		shared.URL, shared.Options = d.server.Connect()
		shared.TLS = nil // there is no socket between them
	}
	if d.shared, err = n.join(ctx, *shared, d.server); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if err := n.mayJoin(ctx, d.shared, id); err != nil {
		return err
	}
	n.checkDurability(ctx, d.shared, d.server)
	d.Store, d.Blobs = d.Guard.Store(d.shared), d.Guard.Blobs(d.shared.Blobs())
	return nil
}

// neededBlobs are not known before the registry is.
func (n *Node) neededBlobs() (map[kv.Digest]bool, bool) {
	if r := n.deployed.Load(); r != nil {
		return r.NeededBlobs(), true
	}
	return nil, false
}

// shareConfig is how the store is reached.
func (n *Node) shareConfig(cfg DataConfig) (_ *natskv.Config, err error) {
	c := n.cfg.Cluster
	shared := &natskv.Config{URL: strings.Join(c.URL, ","), Credentials: c.Credentials, Bucket: c.name(), Replicas: c.Replicas, Cache: c.Cache, Dir: cfg.Dir.Copy(), Logger: cfg.Logger,
		After: backup.Header{}.After(time.Now())} // so that nothing has a revision that it had elsewhere
	if shared.TLS, err = c.TLS.tlsConfig(); err != nil {
		return nil, err
	}
	shared.Offline = c.takesOffline()
	if c.Embedded {
		return shared, nil
	}
	return shared, c.identify(shared)
}

// identify has the node say who it is, if it is told how.
func (c *Cluster) identify(shared *natskv.Config) error {
	switch {
	case c.User != "":
		shared.Options = append(shared.Options, nats.UserInfo(c.User, c.Password))
		return nil
	case c.Token != "":
		shared.Options = append(shared.Options, nats.Token(c.Token))
		return nil
	case c.Credentials != "":
		return nil // natskv reads it
	}
	secret, err := c.secret()
	if err == nil && secret != "" {
		shared.Options = append(shared.Options, nats.UserInfo(natsserver.User, secret))
	}
	return err
}

// takesOffline is nil if no namespace takes writes while the cluster is away.
func (c *Cluster) takesOffline() func(key string) bool {
	if len(c.OfflineWrites) == 0 {
		return nil
	}
	prefixes := make([]string, len(c.OfflineWrites))
	for i, id := range c.OfflineWrites {
		prefixes[i] = deploy.EntriesPrefix(id)
	}
	return func(key string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	}
}

// bringProblem says what to do.
func bringProblem(err error) error {
	if errors.Is(err, natsserver.ErrTwo) {
		return fmt.Errorf("cluster: %w: what this node has is not brought into it. Start the other nodes on new data directories, and all of them at the same time as this one; or, to have what they have, this one", err)
	}
	return fmt.Errorf("cluster: %w", err)
}

// startServer starts the node's own NATS server.
func (n *Node) startServer(ctx context.Context, id string, shared *natskv.Config) (*natsserver.Server, error) {
	c := n.cfg.Cluster
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	s, err := natsserver.Start(ctx, natsserver.Config{
		Dir: n.dir().NATS(), Node: id, Name: c.name(), Listen: c.Listen, ClusterListen: c.ClusterListen, Peers: c.Peers, First: c.first(),
		Secret: secret, TLS: shared.TLS, Logger: n.cfg.Logger})
	if errors.Is(err, natsserver.ErrRemoved) {
		return nil, &cluster.RemovedError{}
	}
	if errors.Is(err, natsserver.ErrNoSecret) {
		return nil, errors.New("the NATS servers in the nodes need a secret that all of them know: make one with 'openssl rand -base64 32', and give it to each node as the systemd credential mayfly.cluster, in MAYFLY_CLUSTER_SECRET, or in the file that secret_file names")
	}
	return s, err
}

// join opens the store, and waits for the cluster if the node has no copy yet.
func (n *Node) join(ctx context.Context, cfg natskv.Config, server *natsserver.Server) (*natskv.Store, error) {
	for began := time.Now(); ; {
		s, err := natskv.Open(ctx, cfg)
		if !errors.Is(err, kv.ErrUnavailable) || ctx.Err() != nil {
			return s, err
		}
		if server == nil && errors.Is(err, natskv.ErrRefused) {
			return nil, err
		}
		if server == nil && time.Since(began) > patience {
			return nil, fmt.Errorf("%w; see that the NATS servers run, with JetStream, and can be reached from here by %s", err, cfg.URL)
		}
		waiting := cfg.URL
		if server != nil {
			waiting = server.Waiting()
		}
		n.cfg.Logger.Warn("waiting for the cluster, of which this node has no copy yet", "for", waiting, "err", err)
		select {
		case <-time.After(time.Second): // Open has waited already
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
