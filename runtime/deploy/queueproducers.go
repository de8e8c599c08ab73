package deploy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// checkQueues refuses queue bindings that no node could use.
func (s *Settings) checkQueues(taken map[string]bool) error {
	for _, p := range s.Queues {
		if err := checkBinding(p.Binding, taken); err != nil {
			return err
		}
		if err := CheckName(p.Queue); err != nil {
			return invalid("queue binding %q: %v", p.Binding, err)
		}
		if d := p.DeliveryDelay; d != nil && (*d < 0 || *d > mostDelay) {
			return invalid("queue binding %q: delivery_delay is %d; it is 0 to %d seconds", p.Binding, *d, mostDelay)
		}
	}
	return nil
}

// checkProducers refuses to bind queues that do not exist, as Cloudflare does. One that
// was deleted later is an error of the sending.
func (s *snapshot) checkProducers(account string, producers []QueueProducer) error {
	for _, p := range producers {
		if _, err := s.queueNamed(account, p.Queue); err != nil {
			return invalid("queue binding %q: %v", p.Binding, err)
		}
	}
	return nil
}

// producersOf are the Functions that have an active Version which sends to a queue,
// sorted.
func (s *snapshot) producersOf(q Queue) (list []string) {
	for id, f := range s.functions {
		sends := func(a *Active) bool {
			return slices.ContainsFunc(a.Version.Settings.Queues, func(p QueueProducer) bool { return p.Queue == q.Name })
		}
		if id.account == q.Account && slices.ContainsFunc(f.actives(), sends) {
			list = append(list, f.Name)
		}
	}
	slices.Sort(list)
	return list
}

// Producers are the Functions whose active Versions send to a queue, sorted.
func (r *Registry) Producers(q Queue) []string { return r.current.Load().producersOf(q) }

// producers are what Queues are bound to.
func (r *Registry) producers(account string, bound []QueueProducer) map[string]host.QueueProducer {
	all := make(map[string]host.QueueProducer, len(bound))
	for _, p := range bound {
		all[p.Binding] = &producer{registry: r, account: account, QueueProducer: p}
	}
	return all
}

// producer is how a guest reaches the queue that it is bound to: the one that has the
// name when something is sent.
type producer struct {
	registry *Registry
	account  string
	QueueProducer
}

// Send implements host.QueueProducer.
func (p *producer) Send(ctx context.Context, messages []host.QueueSend) error {
	q, err := p.registry.QueueNamed(p.account, p.Queue)
	if err != nil {
		return err
	}
	if p.DeliveryDelay != nil {
		q.Settings.DeliveryDelay = *p.DeliveryDelay
	}
	_, err = p.registry.Send(ctx, q, messages)
	return err
}

// Backlog implements host.QueueProducer.
func (p *producer) Backlog(ctx context.Context) (host.QueueBacklog, error) {
	q, err := p.registry.QueueNamed(p.account, p.Queue)
	if err != nil {
		return host.QueueBacklog{}, err
	}
	return p.registry.Backlog(ctx, q)
}

// Backlog says what waits in a queue.
func (r *Registry) Backlog(ctx context.Context, q Queue) (host.QueueBacklog, error) {
	if r.cfg.Queues == nil {
		return host.QueueBacklog{}, errNoQueues
	}
	s, err := r.cfg.Queues.Stats(ctx, q.Key())
	return host.QueueBacklog{Messages: s.Messages, Bytes: s.Bytes, Oldest: s.Oldest}, err
}

var errNoQueues = host.Errorf(host.CodeUnsupported, "this node has no queues")

// Send puts messages into a queue and returns their ids; see kv.Queues. Those without
// a delay get that of q.
func (r *Registry) Send(ctx context.Context, q Queue, messages []host.QueueSend) ([]string, error) {
	if r.cfg.Queues == nil {
		return nil, errNoQueues
	}
	_, gone := r.current.Load().queue(q.Account, q.ID) // since q was looked up
	if gone != nil {
		return nil, gone
	}
	list := make([]kv.Message, 0, len(messages))
	for _, m := range messages {
		if m.Delay == host.NoDelay {
			m.Delay = q.Delay()
		}
		list = append(list, kv.Message{ContentType: m.ContentType, Body: m.Body, Delay: m.Delay.Round(time.Millisecond)})
	}
	ids, err := r.cfg.Queues.Send(ctx, q.Key(), list, kv.SendOptions{Retention: q.Retention()})
	if errors.Is(err, kv.ErrNoQueue) {
		return nil, host.Errorf(host.CodeNotFound, "queue %q was deleted while messages were sent to it", q.Name)
	}
	return ids, err
}
