package natsqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// pullRequest asks a consumer for messages. (Source: ADR-13 of
// nats-architecture-and-design.)
type pullRequest struct {
	Batch    int           `json:"batch"`
	MaxBytes int           `json:"max_bytes,omitempty"`
	Expires  time.Duration `json:"expires,omitempty"`
	NoWait   bool          `json:"no_wait,omitempty"`
}

// Receive implements kv.Queues. It asks at most three times, but where messages are
// malformed: for what there is, for a first message, and for what comes while it lingers.
func (s *Queues) Receive(ctx context.Context, q kv.Queue, opts kv.ReceiveOptions) ([]kv.Delivery, error) {
	if err := kv.CheckReceive(opts); err != nil {
		return nil, err
	}
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	st, err := s.open(ctx, q)
	if err != nil {
		return nil, failure(ctx, "receive from queue", err)
	}
	reserved, err := s.leases.reserve(q.Account, opts.Max, opts.Bounded)
	if err != nil {
		return nil, err
	}
	defer s.leases.cancel(q.Account, reserved)
	opts.Max = reserved
	for {
		list, err := s.batch(ctx, st, opts)
		if err != nil && len(list) == 0 {
			return nil, failure(ctx, "receive from queue", s.unreceived(ctx, q, err))
		}
		all := s.lease(q, st, list, opts.Lease)
		s.leases.release(list)
		if len(all) > 0 || len(list) == 0 {
			return all, nil
		}
	}
}

// unreceived is why nothing could be received: kv.ErrNoQueue if the stream of the queue was
// deleted, which not every request hears of. A stream that is there may be without what
// gives out its messages for a while, where servers choose a leader; that is made anew if
// it is gone.
func (s *Queues) unreceived(ctx context.Context, q kv.Queue, err error) error {
	if ctx.Err() != nil {
		return err
	}
	_, looked := s.js.Stream(ctx, s.streamName(q))
	switch {
	case errors.Is(looked, jetstream.ErrStreamNotFound):
		s.forget(q)
		return kv.ErrNoQueue
	case errors.Is(err, errGone), errors.Is(err, nats.ErrNoResponders):
		s.forget(q)
		return fmt.Errorf("no server gives out its messages: %w", kv.ErrUnavailable)
	}
	return err
}

func (s *Queues) batch(ctx context.Context, st *stream, opts kv.ReceiveOptions) ([]*nats.Msg, error) {
	list, err := s.pull(ctx, st, pullRequest{Batch: opts.Max, MaxBytes: bytesLeft(nil), NoWait: true})
	if err != nil {
		return list, err
	}
	if len(list) == 0 {
		// A consumer may not have heard yet of what was just stored.
		if list, err = s.pull(ctx, st, pullRequest{Batch: 1, Expires: max(opts.Wait, 50*time.Millisecond)}); err != nil || len(list) == 0 {
			return list, err
		}
		opts.Linger = max(opts.Linger, time.Millisecond) // others may have come at the same time
	}
	more := pullRequest{Batch: opts.Max - len(list), MaxBytes: bytesLeft(list), Expires: opts.Linger}
	if opts.Linger < time.Millisecond || more.Batch <= 0 || more.MaxBytes <= 0 {
		return list, nil
	}
	rest, err := s.pull(ctx, st, more)
	return append(list, rest...), err
}

// bytesLeft is how many bytes a batch may have yet, as NATS counts them: with subjects
// and headers. It is 0 for none.
func bytesLeft(list []*nats.Msg) int {
	left := kv.MaxBatchBytes
	for _, m := range list {
		left -= len(m.Data)
	}
	if left <= overhead {
		return 0
	}
	return left + overhead
}

// pull asks once, and reads what comes until the server says that it is all. It may say
// so before the last messages come: those of a stream with replicas wait until most have
// noted that they are delivered.
func (s *Queues) pull(ctx context.Context, st *stream, req pullRequest) (list []*nats.Msg, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	inbox := s.cfg.Conn.NewInbox()
	sub, err := s.cfg.Conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { s.stopPull(sub, err) }()
	if err := s.cfg.Conn.PublishRequest(s.api+"CONSUMER.MSG.NEXT."+st.name+"."+consumerName, inbox, body); err != nil {
		return nil, err
	}
	patience, cancel := context.WithTimeout(ctx, req.Expires+s.cfg.patience)
	defer cancel()
	for n := req.Batch; len(list) < n; {
		m, err := sub.NextMsgWithContext(patience)
		if err != nil {
			return list, err
		}
		if m.Reply != "" {
			s.leases.hold(m.Reply)
			list = append(list, m)
			continue
		}
		over, err := statusOf(m)
		if err != nil {
			return list, err
		}
		if over {
			n = sentOf(m, req.Batch)
		}
	}
	return list, nil
}

// stopPull gives back what comes too late for a pull that was broken off.
func (s *Queues) stopPull(sub *nats.Subscription, err error) {
	if err == nil {
		sub.Unsubscribe() //nolint:errcheck // the connection is gone
		return
	}
	for {
		m, err := sub.NextMsg(time.Millisecond)
		if err != nil {
			break
		}
		if m.Reply != "" {
			s.cfg.Conn.Publish(m.Reply, nak) //nolint:errcheck // it comes again
		}
	}
	sub.Unsubscribe() //nolint:errcheck // the connection is gone
}

// sentOf is how many messages a server has sent, or will, in answer to a pull that is
// over. Where messages may come after its word, it says how many have been left out.
func sentOf(m *nats.Msg, batch int) int {
	switch m.Header.Get("Description") {
	case "Batch Completed", "Message Size Exceeds MaxBytes":
		if left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages")); err == nil {
			return batch - left
		}
	}
	return 0
}

// statusOf reads a message of the server about a pull: whether it is over, or has failed.
func statusOf(m *nats.Msg) (over bool, err error) {
	status, _ := strconv.Atoi(m.Header.Get("Status"))
	switch status {
	case 100: // a sign of life
		return false, nil
	case 404, 408: // no messages, or the time is over
		return true, nil
	case 409:
		switch m.Header.Get("Description") {
		case "Consumer Deleted":
			return true, errGone
		}
		return true, nil // as many bytes as may be, or the leader has changed
	case 503:
		return true, errGone // nobody listens there
	}
	return true, nil
}
