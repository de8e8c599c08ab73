package deploy

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// What ConsumerSettings are where nothing is said: Cloudflare's defaults.
const (
	defaultBatch        = 10
	defaultBatchTimeout = 5 // seconds
	defaultRetries      = 3
	defaultVisibility   = 30_000 // milliseconds
)

// Batch is how many messages a batch has at most.
func (s ConsumerSettings) Batch() int { return int(or(s.BatchSize, defaultBatch)) }

// Linger is how long a batch may wait until it is full.
func (s ConsumerSettings) Linger() time.Duration {
	return time.Duration(or(s.BatchTimeout, defaultBatchTimeout)) * time.Second
}

// MaxRetries is how often a message is delivered again.
func (s ConsumerSettings) MaxRetries() int { return int(or(s.Retries, defaultRetries)) }

// MaxConcurrency is how many batches there may be at the same time.
func (s ConsumerSettings) MaxConcurrency() int { return int(or(s.Concurrency, mostConcurrency)) }

// Visibility is how long pulled messages are leased.
func (s ConsumerSettings) Visibility() time.Duration {
	return time.Duration(or(s.VisibilityMS, defaultVisibility)) * time.Millisecond
}

// longestBackoff is how long a retry waits at most where RetryDelay does not say.
const longestBackoff = 5 * time.Minute

// Backoff is how long a message waits after an attempt that has failed, of which 1 is
// the first: RetryDelay; or else nothing at first, then a second, and twice that each
// time.
func (s ConsumerSettings) Backoff(attempt int) time.Duration {
	switch {
	case s.RetryDelay != nil:
		return time.Duration(*s.RetryDelay) * time.Second
	case attempt <= 1:
		return 0
	}
	return min(longestBackoff, time.Second<<min(attempt-2, 20))
}

func or(n *int64, otherwise int64) int64 {
	if n == nil {
		return otherwise
	}
	return *n
}

func (s ConsumerSettings) check() error {
	for _, bound := range []struct {
		key         string
		value       *int64
		least, most int64
	}{
		{"max_batch_size", s.BatchSize, 1, mostBatch},
		{"max_batch_timeout", s.BatchTimeout, 0, mostBatchTimeout},
		{"max_retries", s.Retries, 0, mostRetries},
		{"max_concurrency", s.Concurrency, 1, mostConcurrency},
		{"retry_delay", s.RetryDelay, 0, mostDelay},
		{"visibility_timeout_ms", s.VisibilityMS, 1000, mostVisibility},
	} {
		if n := bound.value; n != nil && (*n < bound.least || *n > bound.most) {
			return invalid("%s is %d; it is %d to %d", bound.key, *n, bound.least, bound.most)
		}
	}
	return nil
}

// AddConsumer gives a queue its consumer. Its dead letter queue is made if it does not
// exist.
func (r *Registry) AddConsumer(ctx context.Context, account, queue string, c QueueConsumer) (Queue, error) {
	return r.setConsumer(ctx, account, queue, c, func(q *Queue) error {
		if old := q.Consumer; old != nil {
			return host.Errorf(host.CodeConflict, "queue %q has a consumer already, %s; remove it first", q.Name, old.describe())
		}
		return nil
	})
}

// SetConsumer replaces the consumer of a queue that has an id.
func (r *Registry) SetConsumer(ctx context.Context, account, queue, id string, c QueueConsumer) (Queue, error) {
	return r.setConsumer(ctx, account, queue, c, func(q *Queue) error { return q.hasConsumer(id) })
}

func (q Queue) hasConsumer(id string) error {
	if q.Consumer == nil || q.Consumer.ID != id {
		return host.Errorf(host.CodeNotFound, "queue %q has no consumer %q", q.Name, id)
	}
	return nil
}

// describe is the consumer in words.
func (c *QueueConsumer) describe() string {
	if c.Type == ConsumerPull {
		return "which pulls over HTTP"
	}
	return "Function " + c.Function
}

func (r *Registry) setConsumer(ctx context.Context, account, queue string, c QueueConsumer, may func(*Queue) error) (Queue, error) {
	if err := c.check(); err != nil {
		return Queue{}, err
	}
	if c.DeadLetterQueue != "" {
		if err := r.ensureQueue(ctx, account, c.DeadLetterQueue); err != nil {
			return Queue{}, err
		}
	}
	return r.changeQueue(ctx, account, queue, func(s *snapshot, q *Queue) error {
		if err := may(q); err != nil {
			return err
		}
		if c.DeadLetterQueue == q.Name {
			return invalid("queue %q can't be its own dead letter queue", q.Name)
		}
		if err := s.mayConsume(account, c, *q); err != nil {
			return err
		}
		c.ID, c.Created = newHexID(), r.now()
		if old := q.Consumer; old != nil {
			c.ID, c.Created = old.ID, old.Created
		}
		q.Consumer = &c
		return nil
	})
}

// mayConsume refuses a Function that is not there, or handles no batches.
func (s *snapshot) mayConsume(account string, c QueueConsumer, q Queue) error {
	if c.Type != ConsumerWorker {
		return nil
	}
	f, err := s.function(account, c.Function)
	if err != nil {
		return invalid("the consumer of queue %q: %v; deploy it first", q.Name, err)
	}
	for _, a := range f.serving.actives() {
		if !a.Version.Handles("queue") {
			return noQueueHandler("Function %s can't be the consumer of queue %q, because it has no queue handler: %s", f.Name, q.Name, howToHandle["queue"])
		}
	}
	return nil
}

func (c *QueueConsumer) check() error {
	switch {
	case c.Type == ConsumerPull:
		c.Function = ""
	case c.Type != ConsumerWorker:
		return invalid("the type of a consumer is %q or %q, not %q", ConsumerWorker, ConsumerPull, c.Type)
	}
	if c.DeadLetterQueue != "" {
		if err := CheckName(c.DeadLetterQueue); err != nil {
			return invalid("dead_letter_queue: %v", err)
		}
	}
	return c.Settings.check()
}

// ensureQueue makes a queue that does not exist.
func (r *Registry) ensureQueue(ctx context.Context, account, name string) error {
	if _, err := r.QueueNamed(account, name); host.CodeOf(err) != host.CodeNotFound {
		return err
	}
	_, err := r.CreateQueue(ctx, account, name, QueueSettings{})
	if host.CodeOf(err) == host.CodeConflict { // somebody was faster
		return nil
	}
	return err
}

// RemoveConsumer lets a queue keep its messages.
func (r *Registry) RemoveConsumer(ctx context.Context, account, queue, id string) error {
	_, err := r.changeQueue(ctx, account, queue, func(_ *snapshot, q *Queue) error {
		if err := q.hasConsumer(id); err != nil {
			return err
		}
		q.Consumer = nil
		return nil
	})
	return err
}

// ForgetConsumer removes a Function that was deleted from the queues that it consumed.
// Their messages stay.
func (r *Registry) ForgetConsumer(ctx context.Context, account, function string) error {
	list, err := r.Queues(account)
	if err != nil {
		return err
	}
	for _, q := range list {
		if c := q.Consumer; c != nil && c.Type == ConsumerWorker && c.Function == function {
			if err := r.RemoveConsumer(ctx, account, q.ID, c.ID); err != nil && host.CodeOf(err) != host.CodeNotFound {
				return err
			}
		}
	}
	return nil
}

// Consumed are the queues of all accounts that Functions consume and that are not
// paused.
func (r *Registry) Consumed() (list []Queue) {
	for _, q := range r.current.Load().queues {
		if c := q.Consumer; c != nil && c.Type == ConsumerWorker && !q.Settings.Paused && !q.Deleted {
			list = append(list, q)
		}
	}
	return list
}

// DeadLetter puts a message into the dead letter queue that has a name. One that was
// deleted since the consumer got it is made again.
func (r *Registry) DeadLetter(ctx context.Context, account, name string, d kv.Delivery) error {
	if err := r.ensureQueue(ctx, account, name); err != nil {
		return err
	}
	q, err := r.QueueNamed(account, name)
	if err != nil {
		return err
	}
	_, err = r.Send(ctx, q, []host.QueueSend{{ContentType: d.ContentType, Body: d.Body, Delay: host.NoDelay}})
	return err
}
