package trigger

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Pull leases messages of a queue to a program that asks for them. Those that have no
// retries left go to the dead letter queue instead. Of a queue that is paused there are
// none. visibility 0 is the consumer's own, as is most. The error is a *kv.LimitError for
// an account that has as much on lease as it may.
func (c *Consumers) Pull(ctx context.Context, q deploy.Queue, most int, visibility time.Duration) ([]kv.Delivery, error) {
	if err := pulls(q); err != nil {
		return nil, err
	}
	if most == 0 {
		most = q.Consumer.Settings.Batch()
	}
	if visibility == 0 {
		visibility = q.Consumer.Settings.Visibility()
	}
	if q.Settings.Paused {
		return nil, nil
	}
	for {
		list, err := c.cfg.Queues.Receive(ctx, q.Key(), kv.ReceiveOptions{Max: most, Lease: visibility, Bounded: true})
		fresh, spent := split(list, q.Consumer.Settings.MaxRetries())
		if len(spent) > 0 {
			c.settle(&q, c.dead(&q, spent, "it was pulled, and not acknowledged"))
		}
		if err != nil || len(fresh) > 0 || len(spent) == 0 {
			return fresh, err
		}
	}
}

// Settle ends leases of messages that were pulled. Of a retry without a delay
// (host.NoDelay) it is the consumer's own.
func (c *Consumers) Settle(ctx context.Context, q deploy.Queue, list []kv.Settlement) (stale []string, err error) {
	if err := pulls(q); err != nil {
		return nil, err
	}
	all := make([]kv.Settlement, len(list))
	for i, s := range list {
		if all[i] = s; s.Delay == host.NoDelay {
			all[i].Delay = q.Consumer.Settings.Backoff(1)
		}
	}
	return c.cfg.Queues.Settle(ctx, q.Key(), all)
}

func pulls(q deploy.Queue) error {
	if q.Consumer == nil || q.Consumer.Type != deploy.ConsumerPull {
		return host.Errorf(host.CodeState, "queue %q has no HTTP pull consumer; add one with: mayfly queues consumer http add %s", q.Name, q.Name)
	}
	return nil
}
