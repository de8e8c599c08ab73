package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/cluster"
)

// mayMakeKey refuses to make a key where a cluster has one.
func (n *Node) mayMakeKey(ctx context.Context, store kv.Store) error {
	if n.cfg.Cluster == nil {
		return nil
	}
	if err := kv.Sync(ctx, store); err != nil {
		return fmt.Errorf("this node has no key for secrets, and can't see whether its cluster has one: %w", err)
	}
	key, err := cluster.Key(ctx, store)
	if err == nil && key != "" {
		err = n.otherKey(&cluster.OtherKeyError{Cluster: key})
	}
	return err
}

// joinByKey makes sure that this program, with this key, may work on what nodes share.
func (n *Node) joinByKey(ctx context.Context, store kv.Store, key, previous secret.Key) error {
	if n.cfg.Cluster == nil {
		return nil
	}
	before := ""
	if !previous.IsZero() {
		before = previous.ID()
	}
	err := cluster.Join(ctx, store, key.ID(), before)
	if other, is := errors.AsType[*cluster.OtherKeyError](err); is {
		return n.otherKey(other)
	}
	return err
}

func (n *Node) otherKey(err *cluster.OtherKeyError) error {
	return fmt.Errorf("%w. It is the systemd credential mayfly.kek, MAYFLY_KEK, or what kek_file names; where they have none of these, the file kek in the data directory of the first node: copy that to %s, with mode 0400", err, n.dir().KEK())
}
