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

// setConsumers lets the Function consume its queues, whoever did before: here, that was
// an earlier state of the projects.
func (s *Session) setConsumers(ctx context.Context, r *deploy.Registry, list []deploy.ManifestConsumer) error {
	if err := r.ForgetConsumer(ctx, deploy.Local, s.name); err != nil { // of queues that it had before
		return err
	}
	for _, c := range list {
		q, err := r.QueueNamed(deploy.Local, c.Queue)
		if err != nil {
			return err
		}
		want := deploy.QueueConsumer{Type: c.Type, Function: s.name, DeadLetterQueue: c.DeadLetterQueue, Settings: c.ConsumerSettings}
		if want.Type == "" {
			want.Type = deploy.ConsumerWorker
		}
		if old := q.Consumer; old != nil {
			_, err = r.SetConsumer(ctx, deploy.Local, q.ID, old.ID, want)
		} else {
			_, err = r.AddConsumer(ctx, deploy.Local, q.ID, want)
		}
		if err != nil {
			return fmt.Errorf("consume queue %s: %w", c.Queue, err)
		}
	}
	return nil
}
