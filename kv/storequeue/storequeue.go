// Package storequeue keeps the queues of one node in its kv.Store. Start reading at
// Open; record.go says what is in the store, and window.go what is in memory.
//
// Messages are entries whose keys begin with the time at which they are due. Who has
// a message on lease is known in memory alone: after a crash, all are available again
// at once. The store only has, for each batch that was leased, which messages it has
// and how often those were delivered, so that a message which ends the process is
// counted nevertheless.
package storequeue

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Config of Queues. Store is required.
type Config struct {
	// Store is no view that was made by kv.Sub. The keys that begin with Prefix belong
	// to the Queues. It stays open.
	Store  kv.Store
	Prefix string
	// QueueBytes and AccountBytes are how much may wait in one queue and in all those
	// of an account, in bytes. A message counts as its body and Overhead. Defaults:
	// DefaultQueueBytes, DefaultAccountBytes.
	QueueBytes, AccountBytes int64
	// AccountLeased is how many messages an account may have on lease where a Receive is
	// Bounded. Default: kv.MaxLeased.
	AccountLeased int64
	Logger        *slog.Logger // default: discard

	kept int // messages of an account in windows; default: maxKept
}

// What Config has where nothing is said.
const (
	DefaultQueueBytes   = 1 << 30
	DefaultAccountBytes = 4 << 30
)

// Overhead is what a message counts for beside its body, in bytes.
const Overhead = 256

// sweepEvery is how often messages are looked for that were kept long enough.
const sweepEvery = time.Hour

// Queues implements kv.Queues. One Queues uses a store at a time.
type Queues struct {
	cfg    Config
	ids    ids
	commit *committer
	stop   context.CancelFunc // of the sweep
	sweeps sync.WaitGroup
	life   sync.RWMutex  // held for reading by every call that changes something
	closed chan struct{} // closed by Close

	mu       sync.Mutex // guards the maps; taken before queue.mu, and not while one is held
	queues   map[kv.Queue]*queue
	accounts map[string]*account
}

// Open reads what is in the store: the keys of all messages, a second or two for a
// million.
func Open(ctx context.Context, cfg Config) (*Queues, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = DefaultQueueBytes
	}
	if cfg.AccountBytes == 0 {
		cfg.AccountBytes = DefaultAccountBytes
	}
	if cfg.AccountLeased == 0 {
		cfg.AccountLeased = kv.MaxLeased
	}
	if cfg.kept == 0 {
		cfg.kept = maxKept
	}
	s := &Queues{cfg: cfg, commit: &committer{store: kv.Sub(cfg.Store, cfg.Prefix)}, closed: make(chan struct{}), queues: map[kv.Queue]*queue{}, accounts: map[string]*account{}}
	if err := s.recover(ctx); err != nil {
		return nil, err
	}
	sweeping, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.sweeps.Go(func() { s.sweep(sweeping, sweepEvery) })
	return s, nil
}

// queue finds a queue, or begins one.
func (s *Queues) queue(name kv.Queue) *queue {
	kv.CheckQueue(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		own := s.accounts[name.Account]
		if own == nil {
			own = &account{most: s.cfg.kept, mostLeased: s.cfg.AccountLeased}
			s.accounts[name.Account] = own
		}
		q = &queue{owner: s, name: name, account: own, prefix: prefixOf(name), store: kv.Sub(s.cfg.Store, s.cfg.Prefix+prefixOf(name)),
			busy: map[string]bool{}, leases: map[string]*lease{}, changed: make(chan struct{})}
		s.queues[name] = q
	}
	return q
}

// begin lets a call begin that ends with s.life.RUnlock.
func (s *Queues) begin(ctx context.Context) error {
	s.life.RLock()
	err := ctx.Err()
	select {
	case <-s.closed:
		err = kv.ErrClosed
	default:
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

// Close implements kv.Queues.
func (s *Queues) Close() error {
	s.life.Lock()
	select {
	case <-s.closed:
		s.life.Unlock()
		return nil
	default:
	}
	close(s.closed)
	s.life.Unlock()
	s.stop()
	s.sweeps.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		q.close()
	}
	return nil
}

// Stats implements kv.Queues.
func (s *Queues) Stats(ctx context.Context, name kv.Queue) (kv.QueueStats, error) {
	if err := s.begin(ctx); err != nil {
		return kv.QueueStats{}, err
	}
	defer s.life.RUnlock()
	q := s.queue(name)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.fill(ctx); err != nil {
		return kv.QueueStats{}, err
	}
	return q.stats(), nil
}

// List implements kv.Queues.
func (s *Queues) List(ctx context.Context) ([]kv.Queue, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.queues)), nil
}
