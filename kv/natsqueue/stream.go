package natsqueue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// A queue is a stream whose messages are removed when they are acknowledged. Those on
// the subject "due" are delivered; one on "later.<id>" becomes one on "due" in time, by
// a message schedule (ADR-51 of nats-architecture-and-design), which needs the
// discard policy "old": so it is this package that keeps streams from growing.
const (
	due          = "due"
	later        = "later."
	consumerName = "consumers" // of all nodes
)

// idKey is where the metadata of a stream has what leases are signed with.
const idKey = "mayfly_id"

// stream is what is known of the stream of a queue.
type stream struct {
	name   string
	prefix string // of its subjects
	secret []byte
	js     jetstream.Stream
	lacks  bool // replicas, for which the cluster had no room
}

func (s *Queues) streamName(q kv.Queue) string {
	return "MAYFLY_" + s.cfg.Bucket + "_queue_" + q.Account + "_" + q.ID
}

func (s *Queues) prefix(q kv.Queue) string {
	return s.accountPrefix(q.Account) + q.ID + "."
}

func (s *Queues) accountPrefix(account string) string { return s.allPrefix() + account + "." }

func (s *Queues) allPrefix() string { return "mayfly." + s.cfg.Bucket + ".q." }

// queueOf says whose messages a stream has, by its subject: a name has no dots.
func (s *Queues) queueOf(cfg jetstream.StreamConfig) (q kv.Queue, ok bool) {
	if len(cfg.Subjects) != 1 {
		return q, false
	}
	path, ok := strings.CutPrefix(strings.TrimSuffix(cfg.Subjects[0], ".>"), s.allPrefix())
	q.Account, q.ID, _ = strings.Cut(path, ".")
	return q, ok && cfg.Name == s.streamName(q)
}

// find asks for the stream of a queue, or makes it.
func (s *Queues) find(ctx context.Context, q kv.Queue) (*stream, error) {
	found, err := s.js.Stream(ctx, s.streamName(q))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		found, err = s.make(ctx, q)
	}
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	_, err = found.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: consumerName, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1,
		MaxAckPending: maxLeased, FilterSubject: s.prefix(q) + due, MaxWaiting: 10_000,
	})
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return &stream{name: s.streamName(q), prefix: s.prefix(q), secret: []byte(found.CachedInfo().Config.Metadata[idKey]), js: found,
		lacks: found.CachedInfo().Cluster != nil && found.CachedInfo().Config.Replicas < jstream.Replicas(s.cfg.Replicas)}, nil
}

// make makes a stream with as many replicas as there may be.
func (s *Queues) make(ctx context.Context, q kv.Queue) (jetstream.Stream, error) {
	cfg := jetstream.StreamConfig{
		Name: s.streamName(q), Description: "Mayfly: the messages of a queue", Subjects: []string{s.prefix(q) + ">"},
		Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardOld,
		AllowMsgTTL: true, AllowMsgSchedules: true, AllowRollup: true, AllowAtomicPublish: true, MaxAge: kv.MaxRetention + kv.MaxDelay, Duplicates: 2 * time.Minute,
		Metadata: map[string]string{idKey: rand.Text()},
	}
	made, err := jstream.Create(ctx, s.js, cfg, s.cfg.Replicas)
	if jstream.CodeOf(err) == jstream.CodeInUse { // another node was faster
		return s.js.Stream(ctx, cfg.Name)
	}
	return made, err
}

// replicate gives the streams of queues that this node uses the replicas that they lack,
// once the cluster has room.
func (s *Queues) replicate(ctx context.Context) error {
	lacking := map[kv.Queue]*stream{}
	s.mu.Lock()
	for q, st := range s.streams {
		if st.lacks {
			lacking[q] = st
		}
	}
	s.mu.Unlock()
	for q, st := range lacking {
		cfg := st.js.CachedInfo().Config
		cfg.Replicas = jstream.Replicas(s.cfg.Replicas)
		if _, err := s.js.UpdateStream(ctx, cfg); jstream.TooManyReplicas(err) {
			return nil
		} else if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return failure(ctx, "add replicas to queue", err)
		}
		s.forget(q) // it is looked at anew
	}
	return nil
}

// keepReplicas calls replicate now and then, until the Queues are closed.
func (s *Queues) keepReplicas() {
	for {
		select {
		case <-time.After(jstream.ReplicateEvery):
		case <-s.life.Done():
			return
		}
		ctx, cancel, err := s.begin(s.life)
		if err != nil { // away, or closed
			continue
		}
		if err := s.replicate(ctx); err != nil && s.life.Err() == nil {
			s.cfg.Logger.Warn("add replicas to queues", "err", err)
		}
		cancel()
	}
}

// forget has the stream of a queue looked for anew.
func (s *Queues) forget(q kv.Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, q)
}
