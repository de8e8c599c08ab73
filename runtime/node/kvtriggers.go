package node

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// openKVTriggers goes on with what was not delivered of changes.
func (n *Node) openKVTriggers(ctx context.Context, store kv.Store) (err error) {
	n.changes, err = trigger.NewKVTriggers(ctx, trigger.KVTriggersConfig{
		Registry: n.registry, Deliver: n.deliverChange, Report: n.later.Report, Store: store, Lease: n.lease, Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("open KV triggers: %w", err)
	}
	n.cutOff(n.changes.Shutdown)
	return nil
}

func (n *Node) deliverChange(ctx context.Context, f deploy.Function, k host.KVChange, hops int) (trigger.Ran, error) {
	return n.runner.Changed(ctx, n.pick(f), n.registry.Host(f.Account, f.Name), k, hops)
}
