package trigger

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// handle sees a batch through: everything that was received is settled when it
// returns, or its lease ends. over: the batch is no longer to begin. begun is called
// when it begins: readers that wait for a place bring no others. The error says why it
// could not begin.
func (c *Consumers) handle(over context.Context, q *deploy.Queue, list []kv.Delivery, begun func()) error {
	fresh, spent := split(list, q.Consumer.Settings.MaxRetries())
	if len(spent) > 0 { // the last attempt ended with the node
		c.settle(q, c.dead(q, spent, "the node ended before the batch did"))
	}
	if len(fresh) == 0 {
		return nil
	}
	patience, cancel := context.WithTimeout(over, turnWait)
	leave, err := c.cfg.Places.Enter(patience, q.Account)
	if cancel(); err != nil {
		c.giveBack(q, fresh, 0)
		return nil
	}
	begun()
	b := c.batch(q, fresh)
	c.cfg.Metrics.Queue(telemetry.QueueDelivered, len(fresh))
	ran, err := c.cfg.Run(c.base, q.Account, q.Consumer.Function, b)
	leave()
	if err != nil {
		c.giveBack(q, fresh, time.Second)
		return err
	}
	c.settle(q, c.judge(q, fresh, b, ran))
	return nil
}

// split separates the messages that were delivered more often than they may be.
func split(list []kv.Delivery, retries int) (fresh, spent []kv.Delivery) {
	for _, d := range list {
		if d.Attempts > retries+1 {
			spent = append(spent, d)
			continue
		}
		fresh = append(fresh, d)
	}
	return fresh, spent
}

func (c *Consumers) batch(q *deploy.Queue, list []kv.Delivery) *host.QueueBatch {
	b := &host.QueueBatch{Queue: q.Name}
	for _, d := range list {
		b.Messages = append(b.Messages, host.QueueMessage{ID: d.ID, Sent: d.Sent, Attempts: d.Attempts, ContentType: d.ContentType, Body: d.Body})
	}
	backlog, err := c.cfg.Registry.Backlog(c.base, *q)
	if err != nil {
		c.cfg.Logger.Debug("the backlog of a queue is not known", "account", q.Account, "queue", q.Name, "err", err)
	}
	b.Backlog = backlog
	return b
}

// judge decides what becomes of the messages of a batch that has ended.
func (c *Consumers) judge(q *deploy.Queue, list []kv.Delivery, b *host.QueueBatch, ran Ran) (all []kv.Settlement) {
	settings := q.Consumer.Settings
	cut := ran.Outcome != host.OutcomeOK && c.base.Err() != nil // the node ends: nobody is to blame
	var failed []kv.Delivery
	for i, d := range list {
		what := b.Decision(i, ran.Outcome == host.OutcomeOK)
		switch {
		case !what.Retry:
			c.cfg.Metrics.Queue(telemetry.QueueAcked, 1)
			all = append(all, kv.Settlement{Lease: d.Lease})
		case cut:
			all = append(all, kv.Settlement{Lease: d.Lease, Retry: true, Unseen: true})
		case d.Attempts > settings.MaxRetries():
			failed = append(failed, d)
		default:
			if what.Delay == host.NoDelay {
				what.Delay = settings.Backoff(d.Attempts)
			}
			c.cfg.Metrics.Queue(telemetry.QueueRetried, 1)
			all = append(all, kv.Settlement{Lease: d.Lease, Retry: true, Delay: what.Delay})
		}
	}
	return append(all, c.dead(q, failed, why(ran))...)
}

// why says why messages were not taken.
func why(ran Ran) string {
	if ran.Outcome == host.OutcomeOK {
		return "the Function asked for a retry"
	}
	return reason(ran.Err, ran.Outcome)
}

// deadPause is how long messages wait that should go to a dead letter queue and can't.
const deadPause = time.Minute

// dead puts messages into the dead letter queue, or drops them if there is none.
func (c *Consumers) dead(q *deploy.Queue, list []kv.Delivery, why string) (all []kv.Settlement) {
	name := q.Consumer.DeadLetterQueue
	for _, d := range list {
		if name == "" {
			c.cfg.Metrics.Queue(telemetry.QueueDropped, 1)
			c.cfg.Logger.Warn("message dropped: it has no retries left, and the queue has no dead letter queue", "account", q.Account, "queue", q.Name, "message", d.ID, "attempts", d.Attempts, "err", why)
			all = append(all, kv.Settlement{Lease: d.Lease})
			continue
		}
		err := c.cfg.Registry.DeadLetter(context.WithoutCancel(c.base), q.Account, name, d)
		if err != nil {
			c.cfg.Logger.Error("message stays: it can't be put into the dead letter queue", "account", q.Account, "queue", q.Name, "dead_letter_queue", name, "message", d.ID, "err", err)
			all = append(all, kv.Settlement{Lease: d.Lease, Retry: true, Delay: deadPause})
			continue
		}
		c.cfg.Metrics.Queue(telemetry.QueueDead, 1)
		c.cfg.Logger.Info("message goes to the dead letter queue", "account", q.Account, "queue", q.Name, "dead_letter_queue", name, "message", d.ID, "attempts", d.Attempts, "err", why)
		all = append(all, kv.Settlement{Lease: d.Lease})
	}
	return all
}

// giveBack makes messages available again that nobody has looked at.
func (c *Consumers) giveBack(q *deploy.Queue, list []kv.Delivery, delay time.Duration) {
	var all []kv.Settlement
	for _, d := range list {
		all = append(all, kv.Settlement{Lease: d.Lease, Retry: true, Unseen: true, Delay: delay})
	}
	c.cfg.Metrics.Queue(telemetry.QueueGivenBack, len(list))
	c.settle(q, all)
}

// How often it is tried to settle messages, and how long after one another. After
// that their lease ends, and they are delivered again.
const (
	settleTries = 5
	settlePause = time.Second
)

func (c *Consumers) settle(q *deploy.Queue, all []kv.Settlement) {
	ctx := context.WithoutCancel(c.base) // what was done is recorded, also at the end
	for try := 1; ; try++ {
		stale, err := c.cfg.Queues.Settle(ctx, q.Key(), all)
		if err == nil {
			if len(stale) > 0 {
				c.cfg.Logger.Warn("messages are delivered again: their lease was over, or they were purged", "account", q.Account, "queue", q.Name, "messages", len(stale))
			}
			return
		}
		if try == settleTries {
			c.cfg.Logger.Error("messages are delivered again: what became of them can't be recorded", "account", q.Account, "queue", q.Name, "messages", len(all), "err", err)
			return
		}
		time.Sleep(settlePause)
	}
}
