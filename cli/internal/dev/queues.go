package dev

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// queues makes the queues of a manifest that are not there yet: here, nobody has to
// make them beforehand.
func (s *Session) queues(ctx context.Context, r *deploy.Registry, table deploy.QueuesTable) ([]deploy.QueueProducer, error) {
	var names []string
	for _, p := range table.Producers {
		names = append(names, p.Queue)
	}
	for _, c := range table.Consumers {
		names = append(names, c.Queue)
	}
	for _, name := range names {
		if _, err := r.QueueNamed(deploy.Local, name); host.CodeOf(err) != host.CodeNotFound {
			continue
		}
		if _, err := r.CreateQueue(ctx, deploy.Local, name, deploy.QueueSettings{}); err != nil {
			return nil, fmt.Errorf("make queue %s: %w", name, err)
		}
	}
	return table.Producers, nil
}
