package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// maxQueues is how many queues an account may have: Cloudflare's number.
const maxQueues = 10_000

// Queue is a queue of an account. Its messages are in Config.Queues.
type Queue struct {
	ID       string         `json:"id"` // 32 hexadecimal digits
	Account  string         `json:"account"`
	Name     string         `json:"name"` // unique in the account; CheckName accepts it
	Created  time.Time      `json:"created"`
	Modified time.Time      `json:"modified"`
	Settings QueueSettings  `json:"settings,omitzero"`
	Consumer *QueueConsumer `json:"consumer,omitempty"` // nil: none
	// Deleted queues are seen by nobody; their messages are being removed.
	Deleted bool `json:"deleted,omitempty"`
}

// QueueSettings are those of a queue, in Cloudflare's words.
type QueueSettings struct {
	DeliveryDelay   int64 `json:"delivery_delay"`           // of messages that have none, in seconds
	Paused          bool  `json:"delivery_paused"`          // nothing is given to consumers
	RetentionPeriod int64 `json:"message_retention_period"` // seconds; 0 is kv.DefaultRetention
}

// QueueConsumer is who gets the messages of a queue. A Function may consume several
// queues, and a queue has one consumer.
type QueueConsumer struct {
	ID              string           `json:"id"`
	Type            string           `json:"type"`               // ConsumerWorker or ConsumerPull
	Function        string           `json:"function,omitempty"` // of ConsumerWorker
	DeadLetterQueue string           `json:"dead_letter_queue,omitempty"`
	Settings        ConsumerSettings `json:"settings,omitzero"`
	Created         time.Time        `json:"created"`
}

// Key is how package kv names the queue.
func (q Queue) Key() kv.Queue { return kv.Queue{Account: q.Account, ID: q.ID} }

// Retention is how long messages are kept.
func (q Queue) Retention() time.Duration {
	if q.Settings.RetentionPeriod == 0 {
		return kv.DefaultRetention
	}
	return time.Duration(q.Settings.RetentionPeriod) * time.Second
}

// Delay is that of messages that have none.
func (q Queue) Delay() time.Duration { return time.Duration(q.Settings.DeliveryDelay) * time.Second }

func (s QueueSettings) check() error {
	if err := kv.CheckDelay(time.Duration(s.DeliveryDelay) * time.Second); err != nil {
		return invalid("delivery_delay: %v", err)
	}
	if s.RetentionPeriod == 0 {
		return nil
	}
	if err := kv.CheckRetention(time.Duration(s.RetentionPeriod) * time.Second); err != nil {
		return invalid("message_retention_period: %v", err)
	}
	return nil
}

// CreateQueue makes an empty queue.
func (r *Registry) CreateQueue(ctx context.Context, account, name string, settings QueueSettings) (Queue, error) {
	return r.putQueue(ctx, func(s *snapshot) (Queue, error) {
		now := r.now()
		q := Queue{ID: newHexID(), Account: account, Name: name, Created: now, Modified: now, Settings: settings}
		if _, err := s.account(account); err != nil {
			return q, err
		}
		return q, s.mayAddQueue(q)
	})
}

func (s *snapshot) mayAddQueue(q Queue) error {
	if err := CheckName(q.Name); err != nil {
		return invalid("a queue's %v", err)
	}
	if _, err := s.queueNamed(q.Account, q.Name); err == nil {
		return host.Errorf(host.CodeConflict, "queue %q already exists in account %s", q.Name, q.Account)
	}
	if n := len(s.queuesOf(q.Account)); n >= maxQueues {
		return host.Errorf(host.CodeLimit, "account %s has %d queues, which is the limit", q.Account, n)
	}
	return q.Settings.check()
}

// SetQueue replaces the settings of a queue.
func (r *Registry) SetQueue(ctx context.Context, account, id string, edit func(*QueueSettings)) (Queue, error) {
	return r.changeQueue(ctx, account, id, func(_ *snapshot, q *Queue) error {
		edit(&q.Settings)
		return q.Settings.check()
	})
}

// DeleteQueue removes a queue at once, with its consumer, and its messages in the
// background, also across restarts. One that an active Version sends to stays.
func (r *Registry) DeleteQueue(ctx context.Context, account, id string) error {
	_, err := r.changeQueue(ctx, account, id, func(s *snapshot, q *Queue) error {
		q.Deleted, q.Consumer = true, nil
		for _, f := range s.producersOf(*q) {
			return host.Errorf(host.CodeConflict, "Function %s sends to queue %q; deploy it without, or delete it, first", f, q.Name)
		}
		return nil
	})
	if err == nil {
		r.wakeEmpty()
	}
	return err
}

// changeQueue changes the record of a queue by edit, which gets a copy.
func (r *Registry) changeQueue(ctx context.Context, account, id string, edit func(*snapshot, *Queue) error) (Queue, error) {
	return r.putQueue(ctx, func(s *snapshot) (Queue, error) {
		q, err := s.queue(account, id)
		if err != nil {
			return q, err
		}
		q.Modified = r.now()
		return q, edit(s, &q)
	})
}

// putQueue writes the record that edit returns.
func (r *Registry) putQueue(ctx context.Context, edit func(*snapshot) (Queue, error)) (Queue, error) {
	var q Queue
	err := r.exclusively(ctx, func(ctx context.Context) (err error) {
		next := r.current.Load().clone()
		if q, err = edit(next); err != nil {
			return err
		}
		next.queues[q.ID] = q
		return r.putRecord(ctx, next, queueRecords+q.ID, q, q.Deleted)
	})
	if err != nil {
		return Queue{}, err
	}
	return q, nil
}

// queuesOf returns those of an account, ordered by name.
func (s *snapshot) queuesOf(account string) []Queue {
	list := []Queue{}
	for _, q := range s.queues {
		if q.Account == account && !q.Deleted {
			list = append(list, q)
		}
	}
	slices.SortFunc(list, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// queue finds a queue by its id. One of another account does not exist as far as the
// caller can tell.
func (s *snapshot) queue(account, id string) (Queue, error) {
	if _, err := s.account(account); err != nil {
		return Queue{}, err
	}
	if q, ok := s.queues[id]; ok && q.Account == account && !q.Deleted {
		return q, nil
	}
	return Queue{}, host.Errorf(host.CodeNotFound, "queue %q does not exist in account %s", id, account)
}

// queueNamed finds a queue by its name.
func (s *snapshot) queueNamed(account, name string) (Queue, error) {
	for _, q := range s.queues {
		if q.Account == account && q.Name == name && !q.Deleted {
			return q, nil
		}
	}
	return Queue{}, host.Errorf(host.CodeNotFound, "queue %q does not exist in account %s; make it with: mayfly queues create %s", name, account, name)
}

// Queues returns the queues of an account, ordered by name.
func (r *Registry) Queues(account string) ([]Queue, error) {
	s := r.current.Load()
	if _, err := s.account(account); err != nil {
		return nil, err
	}
	return s.queuesOf(account), nil
}

// Queue returns one queue of an account.
func (r *Registry) Queue(account, id string) (Queue, error) {
	return r.current.Load().queue(account, id)
}

// QueueNamed returns the queue of an account that has a name.
func (r *Registry) QueueNamed(account, name string) (Queue, error) {
	return r.current.Load().queueNamed(account, name)
}

// PurgeQueue removes the messages of a queue.
func (r *Registry) PurgeQueue(ctx context.Context, account, id string) (Queue, error) {
	q, err := r.Queue(account, id)
	switch {
	case err != nil:
		return q, err
	case r.cfg.Queues == nil:
		return q, errNoQueues
	}
	return q, r.cfg.Queues.Purge(ctx, q.Key())
}

// emptyQueues removes the messages of deleted queues, then their records.
func (r *Registry) emptyQueues(ctx context.Context) {
	for _, q := range r.current.Load().queues {
		if !q.Deleted || r.cfg.Queues == nil || !r.leads() {
			continue
		}
		if err := r.emptyQueue(ctx, q); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Error("empty deleted queue", "account", q.Account, "queue", q.ID, "err", err)
		}
	}
}

func (r *Registry) emptyQueue(ctx context.Context, q Queue) error {
	if err := r.cfg.Queues.Delete(ctx, q.Key()); err != nil {
		return err
	}
	return r.exclusively(ctx, func(ctx context.Context) error {
		next := r.current.Load().clone()
		if err := r.deleteRecord(ctx, next, queueRecords+q.ID); err != nil {
			return fmt.Errorf("delete record: %w", err)
		}
		delete(next.queues, q.ID)
		r.publish(next)
		return nil
	})
}
