package node

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsqueue"
	"github.com/mayfly-run/mayfly/kv/storequeue"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// openQueues opens the messages of all queues: in the store, or beside it in a cluster.
func (n *Node) openQueues(ctx context.Context, store kv.Store) (kv.Queues, error) {
	queues, err := n.newQueues(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("open queues: %w", err)
	}
	n.closers = append(n.closers, queues.Close)
	return queues, nil
}

func (n *Node) newQueues(ctx context.Context, store kv.Store) (kv.Queues, error) {
	if n.shared != nil {
		return natsqueue.New(natsqueue.Config{
			Conn: n.shared.Conn(), Bucket: n.cfg.Cluster.name(), Replicas: n.cfg.Cluster.Replicas,
			QueueBytes: n.cfg.QueueBytes, AccountBytes: n.cfg.AccountQueueBytes, Logger: n.cfg.Logger})
	}
	return storequeue.Open(ctx, storequeue.Config{
		Store: store, Prefix: deploy.MessageRecords, QueueBytes: n.cfg.QueueBytes, AccountBytes: n.cfg.AccountQueueBytes, Logger: n.cfg.Logger})
}

// openConsumers begins to give messages to Functions.
func (n *Node) openConsumers(queues kv.Queues, store kv.Store) {
	cfg := trigger.ConsumersConfig{
		Registry: n.registry, Queues: queues, Run: n.runBatch, Places: n.intake.places(), Metrics: &n.metrics, Logger: n.cfg.Logger}
	if n.shared != nil {
		cfg.Slots = trigger.NewStoreSlots(store, n.lease, n.cfg.Logger)
	}
	n.consumers = trigger.NewConsumers(cfg)
	n.cutOff(n.consumers.Shutdown)
}

// RunQueue gives a Function of account local a batch, whatever it consumes, and waits
// for the end. What was decided is in the batch then, and done by nobody.
func (n *Node) RunQueue(ctx context.Context, function string, b *host.QueueBatch) (trigger.Ran, error) {
	return n.runBatch(ctx, deploy.Local, function, b)
}

func (n *Node) runBatch(ctx context.Context, account, function string, b *host.QueueBatch) (trigger.Ran, error) {
	find := func() (*deploy.Active, error) { return n.registry.Pick(account, function) }
	return n.runner.Batch(ctx, find, n.registry.Host(account, function), b)
}
