package natsserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// A server finds what it has stored as one of a cluster, or as one alone, and takes the
// other for what is to be removed: streams that its cluster does not know. (Source:
// checkForOrphans of nats-server's jetstream_cluster.go.) So what a server has from
// when it was alone is put aside before it is one of a cluster, and brought in as
// streams: see Bring.

const (
	aloneSuffix  = ".alone"          // to be brought into the cluster
	beforeSuffix = ".before-cluster" // was brought
)

func (cfg *Config) alone() string { return filepath.Clean(cfg.Dir) + aloneSuffix }

// ErrRemoved: what is stored is of a server that learned that it was removed from its
// cluster. It forgets then who else is in that.
var ErrRemoved = errors.New("the NATS server was removed from its cluster")

// putAside sees that what is stored is of a server such as cfg wants.
func (cfg *Config) putAside() error {
	ofCluster, err := holds(cfg.Dir, server.DEFAULT_SYSTEM_ACCOUNT, "_js_", "_meta_")
	if err != nil {
		return err
	}
	groups, err := holds(cfg.Dir, server.DEFAULT_SYSTEM_ACCOUNT, "_js_")
	if err != nil {
		return err
	}
	streams, err := holds(cfg.Dir, server.DEFAULT_GLOBAL_ACCOUNT, "streams")
	if err != nil {
		return err
	}
	waits, err := holds(cfg.alone())
	switch {
	case err != nil:
		return err
	case groups && !ofCluster:
		return ErrRemoved
	case cfg.ClusterListen == "" && (ofCluster || waits):
		return fmt.Errorf("%s is of a server of a cluster: start it with cluster_listen and peers again. To have one node alone, restore a backup of the cluster into a new data directory", cfg.Dir)
	case cfg.ClusterListen == "" || ofCluster || !streams:
		return nil
	case !cfg.First:
		return fmt.Errorf("%s has what was stored without the other nodes, and only the first of peers brings that into a cluster: put this node's address first in peers, on all nodes", cfg.Dir)
	case waits:
		return fmt.Errorf("%s and %s both have what a server stored that was alone: move away the one that is not wanted", cfg.Dir, cfg.alone())
	}
	return os.Rename(cfg.Dir, cfg.alone())
}

// holds reports whether a folder of what a server stored has anything in it.
func holds(dir string, below ...string) (bool, error) {
	files, err := os.ReadDir(filepath.Join(append([]string{dir, server.JetStreamStoreDir}, below...)...))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return len(files) > 0, err
}

// kept has what was brought in no more be found.
func (s *Server) kept() (string, error) {
	to := filepath.Clean(s.cfg.Dir) + beforeSuffix
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	return to, os.Rename(s.cfg.alone(), to)
}
