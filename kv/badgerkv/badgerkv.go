// Package badgerkv keeps a kv.Store in a directory, in Badger. Start reading at
// Open; write.go and read.go say how an entry is laid out in the database.
//
// Badger runs in managed mode: this package numbers the commits, and a commit's
// number is the entry's revision. Otherwise every read would wait until the
// writes under way are on disk (measured with one writer that syncs: 34 times
// fewer reads). What is left to do for Badger is in revisions.go. So a read may
// see a write shortly before it is on disk and acknowledged.
//
// A full disk ends the process (Badger writes through mmap, so the kernel sends
// SIGBUS); nothing acknowledged is lost. Package space keeps it from getting so
// far.
package badgerkv

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/changelog"
	"github.com/mayfly-run/mayfly/kv/internal/feed"
	"github.com/mayfly-run/mayfly/kv/internal/life"
)

// Config of a Store.
type Config struct {
	// Dir holds the database and nothing else. It is made if it does not exist.
	Dir string
	// NoSync lets Put return before the write is on disk. Then writes survive
	// the end of the process but not that of the machine.
	NoSync bool
	// Now is the clock for expiry. Default: time.Now.
	Now func() time.Time
	// Logger gets what Badger reports; its chatter is at level Debug.
	// Default: discard.
	Logger *slog.Logger
	// After is the revision after which those of a new database begin; one that
	// has been written keeps its own. Default: 0.
	After uint64
	// CollectEvery is how often space of overwritten large values is reclaimed.
	// Default: 5 minutes.
	CollectEvery time.Duration

	lost    uint64 // how many revisions may have been given that the lease does not know
	replica bool   // revisions are given elsewhere
	idle    bool   // neither compacts nor collects, and takes damaged logs of recent writes
}

// stripes is how many writes to different keys may be under way at a time. They
// share syncs, so more of them means more writes per second.
const stripes = 256

// Store is a kv.Store in Badger.
type Store struct {
	db        *badger.DB
	now       func() time.Time
	log       *slog.Logger
	revisions *revisions
	feed      feed.Feed
	rules     atomic.Pointer[changelog.Rules]
	seed      maphash.Seed

	// locks serialise the writes of one key, from the comparison of revisions
	// to the event. Taken after life, before revisions.mu.
	locks [stripes]sync.Mutex

	longBytes atomic.Int64  // of long values since the memtable was turned
	turn      chan struct{} // asks the collector for a turn

	life    life.Life
	closing atomic.Bool // asks views to end

	collector sync.WaitGroup
	stop      context.CancelFunc // of the collector
	closeOnce sync.Once
	closeErr  error
}

// Open opens or makes the database. It reads all tables and the logs of recent
// writes first, some 2 GB a second if they are in memory, and refuses damaged ones:
// *DamageError. The error says what to do when the directory belongs to another
// process or cannot be written.
func Open(cfg Config) (*Store, error) {
	setDefaults(&cfg)
	if err := prepareDir(cfg.Dir); err != nil {
		return nil, err
	}
	if err := inspect(cfg); err != nil {
		return nil, err
	}
	db, err := unlocked(func() (*badger.DB, error) { return badger.OpenManaged(options(cfg)) })
	if err != nil {
		return nil, openError(cfg.Dir, err)
	}
	revisions, err := openRevisions(db, cfg)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open store in %s: %w", cfg.Dir, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{
		db: db, now: cfg.Now, log: cfg.Logger, revisions: revisions,
		seed: maphash.MakeSeed(), turn: make(chan struct{}, 1), stop: stop,
	}
	if !cfg.idle {
		s.collector.Go(func() { s.collect(ctx, cfg.CollectEvery) })
	}
	return s, nil
}

// inspect looks at the files before Badger does. Nobody else writes them meanwhile.
func inspect(cfg Config) error {
	unlock, err := Lock(cfg.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := verify(context.Background(), cfg.Dir); err != nil {
		return fmt.Errorf("open store in %s: %w: run mayfly doctor to see what is lost; restore a backup into a new directory", cfg.Dir, err)
	}
	if !cfg.idle {
		if err := verifyRecent(cfg.Dir, func(d *DamageError) error { return d }); err != nil {
			return fmt.Errorf("open store in %s: %w: %s", cfg.Dir, err, mendAdvice(err))
		}
	}
	kept, err := keepTail(cfg.Dir)
	if kept {
		cfg.Logger.Error("the value log is damaged: reading some keys is an error; mayfly doctor says which", "dir", cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("open store in %s: %w", cfg.Dir, err)
	}
	return nil
}

func setDefaults(cfg *Config) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CollectEvery <= 0 {
		cfg.CollectEvery = 5 * time.Minute
	}
}

// Watch implements kv.Store.
func (s *Store) Watch(ctx context.Context, prefix string) (kv.Watcher, error) {
	if err := kv.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := s.life.Enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	return s.feed.Watch(prefix)
}

// LogChanges implements kv.ChangeLogger.
func (s *Store) LogChanges(ctx context.Context, list []kv.ChangeRule) error {
	rules, err := changelog.New(list)
	if err != nil {
		return err
	}
	if err := s.life.Enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	s.rules.Store(rules)
	return nil
}

// Close implements kv.Store. It takes as long as writing what is in memory.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.closing.Store(true)
		s.life.End()
		s.feed.Close()
		s.stop()
		s.collector.Wait()
		if err := s.db.Close(); err != nil {
			s.closeErr = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closeErr
}

func (s *Store) lockOf(key string) *sync.Mutex {
	return &s.locks[maphash.String(s.seed, key)%stripes]
}
