package node

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// openObserver makes what is told of Invocations, and what keeps of it.
func (n *Node) openObserver(ctx context.Context, store kv.Store, id string) (err error) {
	n.observer = telemetry.NewObserver(telemetry.ObserverConfig{Failures: n.cfg.Errors, Logger: n.cfg.Logger})
	n.closers = append(n.closers, n.observer.Close)
	n.ledger, err = telemetry.NewLedger(ctx, telemetry.LedgerConfig{
		Observer: n.observer, Store: store, Node: id, Keep: n.cfg.UsageKeep, Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("open usage: %w", err)
	}
	n.closers = append(n.closers, n.ledger.Close)
	return nil
}
