package node

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// openLease makes what other nodes know this one to be alive by.
func (n *Node) openLease(ctx context.Context, store kv.Store, id string) (err error) {
	if n.lease, err = trigger.NewLease(ctx, store, id, n.cfg.Logger); err != nil {
		return err
	}
	n.closers = append(n.closers, func() error { return n.lease.Close(context.Background()) })
	return nil
}

// openCron begins to follow schedules.
func (n *Node) openCron(ctx context.Context, store kv.Store, id string) (err error) {
	n.cron, err = trigger.NewCron(ctx, trigger.CronConfig{Registry: n.registry, Run: n.runScheduled, Store: store, Node: id, Lease: n.lease, Places: n.intake.places(), Paused: n.members.Drained, Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("open schedules: %w", err)
	}
	n.cutOff(n.cron.Shutdown)
	return nil
}

func (n *Node) runScheduled(ctx context.Context, f deploy.Function, s host.Scheduled) (trigger.Ran, error) {
	find := func() (*deploy.Active, error) { return n.registry.Pick(f.Account, f.Name) }
	return n.runner.Scheduled(ctx, find, n.registry.Host(f.Account, f.Name), s)
}

// RunScheduled sends a Function of account local a scheduled event now, and says how
// that went.
func (n *Node) RunScheduled(ctx context.Context, function, cron string) (trigger.Run, error) {
	f, _, err := n.registry.Function(deploy.Local, function)
	if err != nil {
		return trigger.Run{}, err
	}
	return n.cron.Run(ctx, f, cron)
}
