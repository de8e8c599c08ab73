// Package natsqueue keeps kv.Queues in NATS JetStream, for nodes of a cluster. Start
// reading at New; stream.go says what a queue is there, pull.go how messages are
// received, and lease.go what a lease is.
//
// NATS delivers a message again when it hears nothing of it for a while. So the node
// that leases a message tells that it is at work, until the lease is over or settled:
// if the node dies, its messages come again within ackWait. Deliveries are counted by
// NATS: one that is not to count is taken back by publishing the message again.
package natsqueue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// Config of Queues. Conn is required.
type Config struct {
	// Conn is not closed. The servers are of version 2.12 or newer.
	Conn *nats.Conn
	// Domain of JetStream. Default: the server's own.
	Domain string
	// Bucket names what the streams are called after: letters, digits, - and _, up to 64
	// bytes. Default: mayfly.
	Bucket string
	// Replicas of the streams, 1 to 5. Default: 3, or 1 until the cluster has room for
	// that.
	Replicas int
	// QueueBytes and AccountBytes are how much may wait in one queue and in all those of
	// an account, in bytes as JetStream counts them. Nodes look at what others sent now
	// and then, so there may be more; see room.go. Defaults: 1 and 4 GiB.
	QueueBytes, AccountBytes int64
	// AccountLeased is how many messages of an account this node may have on lease where
	// a Receive is Bounded. Default: kv.MaxLeased.
	AccountLeased int64
	Logger        *slog.Logger // default: discard

	// patience is how long one request to a server may take.
	patience time.Duration
}

const (
	// ackWait is how long NATS waits for a word about a message that was delivered.
	ackWait         = 15 * time.Second
	beats           = 3 // within an ackWait
	defaultPatience = 5 * time.Second
	// listTimeout is how long it may take to list thousands of streams.
	listTimeout = time.Minute
	// ackTimeout is how long it may take to store what became of a message: each is
	// synced, and there may be many.
	ackTimeout = 20 * time.Second
	// maxLeased is how many messages of one queue may be on lease: 250 batches.
	maxLeased = 25_000
)

// Queues implements kv.Queues. Any number of them, on any number of nodes, may work
// with the same bucket.
type Queues struct {
	cfg    Config
	js     jetstream.JetStream
	api    string // begins the subjects of requests to JetStream
	life   context.Context
	end    context.CancelFunc
	work   sync.WaitGroup // beat, keepReplicas, and looks at what waits
	leases leases
	told   *nats.Subscription // to what other nodes tell of leases

	mu       sync.Mutex // guards what follows
	streams  map[kv.Queue]*stream
	openings map[kv.Queue]*opening
	accounts map[string]*usage
}

// New does not wait for a server to be there.
func New(cfg Config) (*Queues, error) {
	if cfg.Bucket == "" {
		cfg.Bucket = "mayfly"
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 1 << 30
	}
	if cfg.AccountBytes == 0 {
		cfg.AccountBytes = 4 << 30
	}
	if cfg.AccountLeased == 0 {
		cfg.AccountLeased = kv.MaxLeased
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.patience == 0 {
		cfg.patience = defaultPatience
	}
	s := &Queues{cfg: cfg, api: "$JS.API.", leases: newLeases(cfg.AccountLeased), streams: map[kv.Queue]*stream{}, openings: map[kv.Queue]*opening{}, accounts: map[string]*usage{}}
	var err error
	timeout := jetstream.WithDefaultTimeout(cfg.patience)
	if cfg.Domain == "" {
		s.js, err = jetstream.New(cfg.Conn, timeout)
	} else {
		s.api = "$JS." + cfg.Domain + ".API."
		s.js, err = jetstream.NewWithDomain(cfg.Conn, cfg.Domain, timeout)
	}
	if err != nil {
		return nil, fmt.Errorf("open queues: %w", err)
	}
	if s.told, err = cfg.Conn.Subscribe(s.toldSubject(), s.hear); err != nil {
		return nil, fmt.Errorf("open queues: %w", err)
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.work.Go(s.beat)
	s.work.Go(s.keepReplicas)
	return s, nil
}

// begin is the context of a call: it ends with the Queues as well.
func (s *Queues) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if s.life.Err() != nil {
		return nil, nil, kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if !s.cfg.Conn.IsConnected() {
		return nil, nil, fmt.Errorf("not connected to a server: %w", kv.ErrUnavailable)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(kv.ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }, nil
}

// Close implements kv.Queues. What is on lease comes again after a while.
func (s *Queues) Close() error {
	s.mu.Lock()
	s.end() // no look begins after that
	s.mu.Unlock()
	s.told.Unsubscribe() //nolint:errcheck // the connection is gone
	s.work.Wait()
	return nil
}

// Stats implements kv.Queues.
func (s *Queues) Stats(ctx context.Context, q kv.Queue) (kv.QueueStats, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return kv.QueueStats{}, err
	}
	defer cancel()
	kv.CheckQueue(q)
	found, err := s.js.Stream(ctx, s.streamName(q))
	if err != nil {
		return kv.QueueStats{}, none(failure(ctx, "count messages", err))
	}
	consumer, err := found.Consumer(ctx, consumerName)
	if err != nil {
		return kv.QueueStats{}, none(failure(ctx, "count messages", err))
	}
	state, leased := found.CachedInfo().State, consumer.CachedInfo().NumAckPending
	stats := kv.QueueStats{Messages: int64(state.Msgs), Bytes: int64(state.Bytes), Leased: int64(leased)}
	if state.Msgs > 0 {
		stats.Oldest = state.FirstTime
	}
	return stats, nil
}

// Purge implements kv.Queues.
func (s *Queues) Purge(ctx context.Context, q kv.Queue) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	kv.CheckQueue(q)
	if err := s.purge(ctx, q); err != nil {
		return none(failure(ctx, "purge queue", err))
	}
	s.usage(q.Account).empty(s.streamName(q))
	return nil
}

func (s *Queues) purge(ctx context.Context, q kv.Queue) error {
	found, err := s.js.Stream(ctx, s.streamName(q))
	if err != nil {
		return err
	}
	if err := found.Purge(ctx); err != nil {
		return err
	}
	if info, err := found.Info(ctx); err == nil { // else leases end in time
		s.tellBelow(q, info.State.FirstSeq)
	}
	return nil
}

// Delete implements kv.Queues.
func (s *Queues) Delete(ctx context.Context, q kv.Queue) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	kv.CheckQueue(q)
	err = s.js.DeleteStream(ctx, s.streamName(q))
	s.forget(q)
	if err == nil {
		s.tellBelow(q, all)
		s.usage(q.Account).empty(s.streamName(q))
	}
	return none(failure(ctx, "delete queue", err))
}

// List implements kv.Queues.
func (s *Queues) List(ctx context.Context) (list []kv.Queue, err error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, listTimeout)
	defer stop()
	found := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(s.allPrefix()+">"))
	for info := range found.Info() {
		if q, ok := s.queueOf(info.Config); ok {
			list = append(list, q)
		}
	}
	return list, failure(ctx, "list queues", found.Err())
}
