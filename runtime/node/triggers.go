package node

import (
	"context"

	"github.com/mayfly-run/mayfly/kv"
)

// openTriggers begins what starts Functions beside requests.
func (n *Node) openTriggers(ctx context.Context, store kv.Store, queues kv.Queues) error {
	if err := n.openLease(ctx, store, n.id); err != nil {
		return err
	}
	if err := n.openCron(ctx, store, n.id); err != nil {
		return err
	}
	if err := n.openInvocations(ctx, store); err != nil {
		return err
	}
	if err := n.openKVTriggers(ctx, store); err != nil {
		return err
	}
	n.openConsumers(queues, store)
	return nil
}

// cutOff has close end what a trigger has begun, where the start failed later: Shutdown
// comes before close, and waits.
func (n *Node) cutOff(shutdown func(ctx context.Context)) {
	n.closers = append(n.closers, func() error {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		shutdown(over)
		return nil
	})
}
