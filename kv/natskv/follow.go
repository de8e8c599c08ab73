package natskv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	retryEvery = 250 * time.Millisecond
	// complainEvery is how often the log has what keeps the copy from being current.
	complainEvery = time.Minute
	// overlap is how many revisions before the last one a session begins, to see
	// that the stream still has what the copy has.
	overlap = 256
	// heartbeat of a consumer that has nothing to deliver. Twice that is how long it
	// takes to notice that it is gone.
	heartbeat = 2 * time.Second
	// deliveryTime is how long what was acknowledged may take to come, before it is
	// taken for lost with the server that had the consumer.
	deliveryTime = time.Second
	// heldTime is how long messages wait for those that belong to them, before what is
	// missing is taken for overwritten.
	heldTime   = deliveryTime / 2
	pullExpiry = 30 * time.Second
	// mostSilent is how many heartbeats in a row a consumer may have nothing for a copy
	// that is not current. One on a server whose part of the stream was just made has
	// nothing for ever; another session gets one elsewhere.
	mostSilent = 3
)

// follow keeps the copy current until ctx ends, one session after another.
func (s *Store) follow(ctx context.Context) {
	var complained time.Time
	for ctx.Err() == nil {
		err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		s.streams.Store(nil)
		s.state.set(false, err)
		if time.Since(complained) >= complainEvery {
			complained = time.Now()
			s.complain(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

func (s *Store) complain(err error) {
	if diverged(err) {
		s.cfg.Logger.Error("the cluster lost what this node's copy has: nothing is taken over, and nothing written. "+
			"Restore the cluster's data, or move away the copy to go on with what the cluster has",
			"copy", s.copies(), "revision", s.progress.get(), "err", err)
		return
	}
	s.cfg.Logger.Warn("the copy of the cluster's entries is not kept current; trying again", "revision", s.progress.get(), "err", err)
}

// session follows one consumer until something happens to it.
type session struct {
	*Store
	*streams
	began    uint64    // where the copy was
	target   uint64    // where the stream is, of what still exists
	checked  bool      // that the stream has what the copy has
	audit    bool      // deletions may have been missed
	end      uint64    // the last revision that had been given when the session began
	now      time.Time // then, by the server's clock
	consumed uint64    // messages of the consumer
	silent   int       // heartbeats without one while the copy is not current
	held     []step    // to be applied together
	together uint64    // the revision of the last message that belongs to those
}

func (s *Store) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := s.attach(ctx, s.id)
	if err != nil {
		return err
	}
	f := &session{Store: s, streams: st, began: s.progress.get()}
	defer s.taking.Store(false)
	if err := f.compare(ctx); err != nil {
		return err
	}
	defer s.watchConnection(cancel)()
	return f.run(ctx)
}

// watchConnection ends the session when the connection breaks.
func (s *Store) watchConnection(cancel context.CancelFunc) (stop func()) {
	changes := s.conn.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	done := make(chan struct{})
	s.running.Go(func() {
		select {
		case <-changes:
		case <-s.kick:
		case <-done:
		}
		cancel()
	})
	return func() {
		close(done)
		s.conn.RemoveStatusListener(changes)
	}
}

// arrive returns once the copy has come to a revision that the stream is known to
// have. If the copy stands still it begins another session.
func (s *Store) arrive(ctx context.Context, revision uint64) error {
	for {
		before := s.progress.get()
		wait, cancel := context.WithTimeout(ctx, deliveryTime)
		err := s.progress.wait(wait, revision)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if s.progress.get() == before && !s.taking.Load() {
			select {
			case s.kick <- struct{}{}:
			default:
			}
		}
	}
}

func (f *session) run(ctx context.Context) error {
	consumer, messages, err := f.consume(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   max(1, f.began-min(f.began, overlap-1)),
	})
	if err != nil {
		return fmt.Errorf("consume stream: %w", err)
	}
	defer messages.Stop()
	f.checked = consumer.CachedInfo().NumPending == 0
	for {
		if err := f.settle(ctx); err != nil {
			return err
		}
		m, err := f.next(ctx, messages)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if err := f.take(ctx, m); err != nil {
			return err
		}
	}
}

// consume makes a consumer that is gone soon after this session. It has one replica,
// because the next session makes another.
func (f *session) consume(ctx context.Context, cfg jetstream.ConsumerConfig) (jetstream.Consumer, jetstream.MessagesContext, error) {
	cfg.AckPolicy = jetstream.AckNonePolicy
	cfg.InactiveThreshold = 2 * pullExpiry
	cfg.MemoryStorage = true
	cfg.Replicas = 1
	consumer, err := f.entries.CreateConsumer(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	messages, err := consumer.Messages(jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(pullExpiry),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	return consumer, messages, err
}

// next returns no message if there was none for a while and the copy is not current.
func (f *session) next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	wait, most := ctx, heartbeat
	if len(f.held) > 0 {
		most = heldTime
	}
	if len(f.held) > 0 || !f.state.current() {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	m, err := messages.Next(jetstream.NextContext(wait))
	if err == nil {
		return m, nil
	}
	if ctx.Err() != nil && f.conn.IsConnected() {
		return nil, errStalled
	}
	if ctx.Err() != nil {
		return nil, f.disconnected()
	}
	if wait.Err() == nil {
		return nil, err
	}
	if len(f.held) > 0 {
		f.taking.Store(false)
		return nil, f.flush(ctx)
	}
	if f.silent++; f.silent > mostSilent {
		return nil, errSilent
	}
	f.target, err = f.last(ctx)
	return nil, err
}

// settle says that the copy is current, once it is.
func (f *session) settle(ctx context.Context) error {
	if f.state.current() || !f.checked || f.progress.get() < f.target {
		return nil
	}
	if f.audit {
		if err := f.removeGone(ctx); err != nil {
			return fmt.Errorf("compare the copy with the stream: %w", err)
		}
		f.audit = false
	}
	if err := f.setWhole(); err != nil {
		return err
	}
	if err := f.offline.send(ctx, f.streams); err != nil {
		return err
	}
	f.state.set(true, nil)
	f.cfg.Logger.Info("the copy of the cluster's entries is current", "revision", f.progress.get(), "server", f.conn.ConnectedUrlRedacted())
	return nil
}

var (
	errGap    = errors.New("the consumer lost messages")
	errSilent = errors.New("the consumer gives no messages, and the copy lacks some")
)

func (f *session) take(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	if f.consumed++; meta.Sequence.Consumer != f.consumed {
		return errGap
	}
	f.taking.Store(true)
	defer func() { f.taking.Store(len(f.held) > 0) }()
	if revision := meta.Sequence.Stream; revision <= f.began {
		err = f.verify(ctx, m, revision)
	} else {
		f.checked = true
		err = f.apply(ctx, m, revision, meta.Timestamp)
	}
	if meta.NumPending == 0 {
		f.checked = true
	}
	return err
}

// mark is kept with the position: the time of the message by the server's clock, and
// the key that it was about.
func mark(at time.Time, key string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano())), key...)
}

func readMark(b []byte) (at time.Time, key string) {
	if len(b) < 8 {
		return time.Time{}, ""
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), string(b[8:])
}
