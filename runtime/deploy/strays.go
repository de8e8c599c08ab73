package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mayfly-run/mayfly/kv"
)

// keepEmpty removes what messages there are of queues that do not exist, now and then
// until ctx ends. A node that has not heard yet that a queue was deleted may have sent
// them.
func (r *Registry) keepEmpty(ctx context.Context) {
	every := collectInterval
	if r.cluster != nil {
		every = min(every, r.cluster.Grace)
	}
	for {
		r.pause(ctx, every)
		if ctx.Err() != nil {
			return
		}
		if err := r.removeStrays(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrUnavailable) {
			r.cfg.Logger.Error("remove messages of queues that are gone", "err", err)
		}
	}
}

// removeStrays looks again before it removes anything: then no node makes a queue, and
// all that were made are known.
func (r *Registry) removeStrays(ctx context.Context) error {
	if r.cfg.Queues == nil || !r.leads() {
		return nil
	}
	list, err := r.cfg.Queues.List(ctx)
	if err != nil {
		return fmt.Errorf("list queues: %w", err)
	}
	if list = slices.DeleteFunc(list, r.hasQueue); len(list) == 0 {
		return nil
	}
	return r.exclusively(ctx, func(ctx context.Context) error {
		for _, q := range slices.DeleteFunc(list, r.hasQueue) {
			r.cfg.Logger.Info("remove what is left of a queue that is gone", "account", q.Account, "queue", q.ID)
			if err := r.cfg.Queues.Delete(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// hasQueue says whether there is a record of a queue; one that was deleted has it until
// its messages are gone.
func (r *Registry) hasQueue(q kv.Queue) bool {
	has, ok := r.current.Load().queues[q.ID]
	return ok && has.Account == q.Account
}
