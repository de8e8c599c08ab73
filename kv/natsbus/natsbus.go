// Package natsbus carries messages between the nodes of a cluster while they happen,
// by NATS without JetStream: nothing is stored, and what can't be delivered is lost.
// Start reading at Open.
//
// It has a connection of its own, so that a flood of messages does not hold up what
// the cluster stores. Subjects begin with mayfly.<bucket>.bus; servers that restrict
// their users have to allow publish and subscribe on mayfly.<bucket>.bus.> there.
package natsbus

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// What may wait to be sent, and for one subscriber.
const (
	maxQueued      = 4096
	maxQueuedBytes = 16 << 20
)

// writeWithin is how long the network may take nothing before the connection is given
// up, and made anew.
const writeWithin = 2 * time.Second

// Why a message is lost.
var (
	ErrFull   = errors.New("the network does not take messages as fast as they come")
	ErrClosed = errors.New("the bus is closed")
)

// Config of a Bus. Connect and Bucket are required.
type Config struct {
	// Connect makes a connection with these options beside its own. The Bus closes it.
	Connect func(...nats.Option) (*nats.Conn, error)
	Bucket  string       // names the cluster, as in natskv
	Logger  *slog.Logger // default: discard
}

// Bus is a connection. It is safe for concurrent use.
type Bus struct {
	conn   *nats.Conn
	cfg    Config
	prefix string
	denied sync.Once

	queue   chan *nats.Msg
	waiting atomic.Int64 // bytes in queue
	stop    chan struct{}
	closing sync.Once
	sending sync.WaitGroup
}

// Open connects, now or when a server can be reached.
func Open(cfg Config) (*Bus, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Bus{cfg: cfg, prefix: "mayfly." + cfg.Bucket + ".bus.", queue: make(chan *nats.Msg, maxQueued), stop: make(chan struct{})}
	var err error
	b.conn, err = cfg.Connect(nats.Name("mayfly "+cfg.Bucket+" bus"), nats.NoEcho(), nats.FlusherTimeout(writeWithin), nats.ReconnectOnFlusherError(), nats.ErrorHandler(b.failed))
	if err != nil {
		return nil, fmt.Errorf("open bus: %w", err)
	}
	b.sending.Go(b.send)
	return b, nil
}

// failed is told of what a server refuses, and of messages that a subscriber has no time
// for.
func (b *Bus) failed(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		b.denied.Do(func() {
			b.cfg.Logger.Warn("the NATS servers do not let nodes tell each other of tails and errors: allow this node's user publish and subscribe on "+b.prefix+">", "err", err)
		})
	}
}

// Publish sends data, which is the Bus's from now on, to the other nodes that have
// subscribed. It never waits; ErrFull and ErrClosed say that it is lost. It may be lost
// later as well: while no server can be reached, all is.
func (b *Bus) Publish(subject string, data []byte) error {
	m := &nats.Msg{Subject: b.prefix + subject, Data: data}
	select {
	case <-b.stop:
		return ErrClosed
	default:
	}
	if b.waiting.Add(int64(len(data))) <= maxQueuedBytes {
		select {
		case b.queue <- m:
			return nil
		default:
		}
	}
	b.waiting.Add(-int64(len(data)))
	return ErrFull
}

// send hands on what was published; a network that is stuck holds up this goroutine.
func (b *Bus) send() {
	for {
		select {
		case m := <-b.queue:
			b.put(m)
		case <-b.stop:
			for len(b.queue) > 0 {
				b.put(<-b.queue)
			}
			return
		}
	}
}

func (b *Bus) put(m *nats.Msg) {
	b.waiting.Add(-int64(len(m.Data)))
	b.conn.PublishMsg(m) //nolint:errcheck // it is lost, which may happen
}

// Subscribe has deliver called for each message of a subject, one after the other, with
// data that is deliver's, until stop is called, and with one that is under way a little
// longer. What deliver has no time for is lost. Both may take as long as a write to the
// network, two seconds.
func (b *Bus) Subscribe(subject string, deliver func(data []byte)) (stop func(), err error) {
	s, err := b.conn.Subscribe(b.prefix+subject, func(m *nats.Msg) { deliver(m.Data) })
	if err == nil {
		err = s.SetPendingLimits(maxQueued, maxQueuedBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return func() { s.Unsubscribe() }, nil //nolint:errcheck // it has ended then
}

// Close sends what waits, if the network takes it, and ends the connection.
func (b *Bus) Close() error {
	b.closing.Do(func() {
		close(b.stop)
		b.sending.Wait()
		b.conn.FlushTimeout(writeWithin) //nolint:errcheck // it is lost, which may happen
		b.conn.Close()
	})
	return nil
}
