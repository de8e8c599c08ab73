package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/datadir"
)

// A node that was removed from its cluster finds that in the store, and keeps it in a
// file: at the next start it must not even begin a NATS server, which might become a
// member again.

// mayStart is a *cluster.RemovedError if this node knows that it was removed.
func mayStart(dir datadir.Dir) error {
	data, err := os.ReadFile(dir.Removed())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("see whether the node was removed: %w", err)
	}
	since, _ := time.Parse(time.RFC3339, strings.TrimSpace(string(data))) // a damaged one says enough by being there
	return &cluster.RemovedError{Since: since}
}

// mayJoin looks in the store, as far as the node knows it yet.
func (n *Node) mayJoin(ctx context.Context, store kv.Store, id string) error {
	err := cluster.MayStart(ctx, store, id)
	if removed, is := errors.AsType[*cluster.RemovedError](err); is {
		return errors.Join(err, n.keepRemoved(removed.Since))
	}
	return err
}

// isRemoved is told when a node that runs, and was cut off, learns that it was removed.
func (n *Node) isRemoved(since time.Time) {
	n.intake.pause(true)
	err := n.keepRemoved(since)
	n.cfg.Logger.Error("this node was removed from its cluster while that could not reach it: it is out of service. Stop it. To have this machine in the cluster, start a node on a new data directory", "since", since, "err", err)
}

func (n *Node) keepRemoved(since time.Time) error {
	return os.WriteFile(n.dir().Removed(), []byte(since.UTC().Format(time.RFC3339)+"\n"), 0o600)
}

// servers are the NATS servers of the cluster, if this node has one of them.
func (d *Data) servers() cluster.Servers {
	if d.server == nil || !d.server.Clustered() {
		return nil
	}
	return d.server
}
