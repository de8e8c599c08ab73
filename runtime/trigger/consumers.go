package trigger

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// ConsumersConfig configures Consumers. Registry, Queues and Run are required.
type ConsumersConfig struct {
	Registry interface {
		Consumed() []deploy.Queue
		DeadLetter(ctx context.Context, account, name string, d kv.Delivery) error
		Backlog(ctx context.Context, q deploy.Queue) (host.QueueBacklog, error)
	}
	Queues kv.Queues
	// Run gives a batch to a Function, and waits for its end.
	Run func(ctx context.Context, account, function string, b *host.QueueBatch) (Ran, error)
	// Slots shares the concurrency of a queue between nodes; nil where there is only one.
	Slots Slots
	// Places bound the batches that go on at the same time; default: those of NewPlaces.
	Places  *Places
	Metrics *telemetry.Metrics // default: nobody sees them
	Logger  *slog.Logger       // default: discard
}

// Slots are the places of a queue's consumers in a cluster.
type Slots interface {
	// Take takes one of the first most slots of a queue, if there is one, until the
	// context ends that it returns; release gives it back.
	Take(ctx context.Context, q kv.Queue, most int) (held context.Context, release func(), ok bool)
}

const (
	// followEvery is how soon it is noticed that a queue has got, or lost, a consumer.
	followEvery = time.Second
	// idle is how long a reader waits for messages before it looks around.
	idle = 20 * time.Second
	// turnWait is how long a batch waits for a place before it is given back.
	turnWait = time.Minute
	// batchLease is how long the messages of a batch are leased: as long as it may take.
	batchLease = batchWall + turnWait + time.Minute
	// longestPause is how long a reader waits at most after something went wrong.
	longestPause = time.Minute
)

// Consumers give the messages of queues to Functions, in batches. What is not
// acknowledged is delivered again, and after that goes to the dead letter queue. It is
// safe for concurrent use.
type Consumers struct {
	cfg         ConsumersConfig
	loop        loop
	*background                      // readers
	wake        chan struct{}        // capacity 1
	queues      map[string]*consumed // by id; belongs to loop
}

// consumed is a queue that is consumed.
type consumed struct {
	now     atomic.Pointer[deploy.Queue]
	over    context.Context // no reader begins another batch
	stop    context.CancelFunc
	readers atomic.Int64
	crowded atomic.Bool // the next batch needs room before it is received
}

// NewConsumers begins to consume.
func NewConsumers(cfg ConsumersConfig) *Consumers {
	if cfg.Places == nil {
		cfg.Places = NewPlaces(0)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = new(telemetry.Metrics)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Consumers{background: newBackground(), cfg: cfg, wake: make(chan struct{}, 1), queues: map[string]*consumed{}}
	c.loop.start(c.base, c.run)
	return c
}

// Stop lets no more batches begin.
func (c *Consumers) Stop() {
	c.loop.end()
}

// Shutdown stops, waits for the batches that are under way until ctx ends, and cancels
// what is left then: it is delivered again.
func (c *Consumers) Shutdown(ctx context.Context) {
	c.Stop()
	c.drain(ctx)
}

// Wake has queues looked at at once, because one of them has changed.
func (c *Consumers) Wake() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to
	}
}

func (c *Consumers) run(ctx context.Context) {
	for {
		c.follow(ctx)
		select {
		case <-time.After(followEvery):
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}

// follow begins and ends with what the registry says.
func (c *Consumers) follow(ctx context.Context) {
	seen := map[string]bool{}
	for _, q := range c.cfg.Registry.Consumed() {
		seen[q.ID] = true
		u := c.queues[q.ID]
		if u == nil {
			u = &consumed{}
			u.crowded.Store(true) // many queues may begin at the same time
			u.over, u.stop = context.WithCancel(ctx)
			c.queues[q.ID] = u
		}
		u.now.Store(&q)
		if u.readers.Load() == 0 { // as in the beginning, or where the queue seemed to be gone
			c.read(u)
		}
	}
	for id, u := range c.queues {
		if !seen[id] {
			u.stop()
			delete(c.queues, id)
		}
	}
}

// read begins another reader, unless there are as many as may be.
func (c *Consumers) read(u *consumed) {
	if n := u.readers.Add(1); n > int64(u.now.Load().Consumer.Settings.MaxConcurrency()) {
		u.readers.Add(-1)
		return
	}
	c.live.Go(func() { c.reader(u) })
}

// reader takes one batch after the other. It ends when there are others and nothing to
// do, or too many.
func (c *Consumers) reader(u *consumed) {
	again := time.Duration(0)
	for u.over.Err() == nil {
		n, err := c.turn(u)
		switch {
		case errors.Is(err, kv.ErrNoQueue), errors.Is(err, kv.ErrClosed):
			u.readers.Add(-1)
			return
		case err != nil && u.over.Err() == nil:
			q := u.now.Load()
			again = min(max(2*again, time.Second), longestPause)
			c.cfg.Logger.Error("queue can't be consumed; it is tried again", "account", q.Account, "queue", q.Name, "in", again, "err", err)
			pause(u.over, again)
			continue
		}
		again = 0
		enough := int64(u.now.Load().Consumer.Settings.MaxConcurrency())
		if n == 0 {
			enough = 1
		}
		if u.leave(enough) {
			return
		}
	}
	u.readers.Add(-1)
}

// leave lets a reader go if there are enough without it. Of several at the same time, as
// many stay.
func (u *consumed) leave(enough int64) bool {
	for {
		n := u.readers.Load()
		if n <= enough {
			return false
		}
		if u.readers.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// turn takes a batch, if there is one, and sees it through. It returns how many
// messages there were.
func (c *Consumers) turn(u *consumed) (int, error) {
	over := u.over
	if err := c.cfg.Places.resumed(over); err != nil { // the node is drained
		return 0, nil
	}
	room, err := c.newRoom(over, u)
	if err != nil {
		return 0, nil
	}
	defer room.end()
	q := u.now.Load() // the wait may have been long
	settings := q.Consumer.Settings
	if c.cfg.Slots != nil && settings.Concurrency != nil {
		held, release, ok := c.cfg.Slots.Take(u.over, q.Key(), settings.MaxConcurrency())
		if !ok {
			room.end()
			pause(u.over, followEvery)
			return 0, nil
		}
		defer release()
		over = held
	}
	return c.receive(over, u, q, room)
}

// receive takes a batch for which there is room, and sees it through. Where there is
// none, the batch is given back, and the next one is received once there is.
func (c *Consumers) receive(over context.Context, u *consumed, q *deploy.Queue, room *room) (int, error) {
	settings := q.Consumer.Settings
	opts := kv.ReceiveOptions{Max: settings.Batch(), Lease: batchLease, Wait: idle, Linger: settings.Linger()}
	if room.leave != nil {
		opts.Wait = 0
	}
	if room.waited {
		opts.Linger = 0
	}
	list, err := c.cfg.Queues.Receive(over, q.Key(), opts)
	if err != nil {
		return 0, err
	}
	u.crowded.Store(len(list) > 0 && (room.waited || !room.take()))
	if len(list) == 0 {
		return 0, nil
	}
	if room.leave == nil {
		c.giveBack(q, list, 0)
		return 0, nil
	}
	more := func() {
		if len(list) == opts.Max {
			c.read(u)
		}
	}
	return len(list), c.handle(over, q, list, more)
}
