package natskv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/internal/changelog"
	"github.com/mayfly-run/mayfly/kv/internal/life"
)

// Store is a kv.Store, kv.Viewer, kv.Syncer and kv.StrongReader on a stream.
type Store struct {
	cfg  Config
	conn *nats.Conn
	js   jetstream.JetStream
	name string // begins the ids of this Store's messages

	attempt atomic.Pointer[error] // the last one to connect that failed

	copy  *badgerkv.Replica
	id    string // of the streams that the copy is of
	cache *cache

	streams  atomic.Pointer[streams] // what writes use; nil until they were found
	progress progress
	state    state
	kick     chan struct{} // ends a session
	taking   atomic.Bool   // a session has a message in hand, and may be fetching its value
	objects  objects
	offline  offline
	syncs    syncs
	rules    atomic.Pointer[changelog.Rules]

	// writes keeps other writes of this Store to a key waiting until the copy has the one
	// that is under way: the stream keeps the last message only, and watchers would miss
	// those before it.
	writes  keyLocks
	fetches keyLocks      // of blobs, by their digests
	posts   chan struct{} // one for each write whose messages are under way

	life      life.Life
	stop      context.CancelFunc // of what runs in the background
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open opens the copy and connects. Without a copy it makes the streams, or loads
// what they have; it is kv.ErrUnavailable if the cluster can't be reached. With one
// it succeeds in any case, and connects when that becomes possible. ctx is for this
// call only.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open store in NATS: %w", err)
	}
	s := &Store{cfg: cfg, name: nuid.Next(), kick: make(chan struct{}), stop: func() {}, syncs: syncs{turn: make(chan struct{}, 1)},
		posts: make(chan struct{}, maxPosts)}
	s.state.set(false, errDisconnected)
	err := s.open()
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store in NATS: %w", err), s.Close())
	}
	return s, nil
}

// open opens what is on this node, and begins to connect.
func (s *Store) open() (err error) {
	if err := os.MkdirAll(s.copies(), 0o700); err != nil {
		return err
	}
	if s.cache, err = openCache(filepath.Join(s.cfg.Dir, "blobs"), s.cfg); err != nil {
		return err
	}
	if err := s.offline.open(s); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if s.id, err = s.findCopy(); err != nil {
		return err
	}
	if s.id != "" {
		if err := s.openCopy(s.id); err != nil {
			return err
		}
	}
	if s.conn, err = connect(s.cfg, func(err error) { s.attempt.Store(&err) }); err != nil {
		return err
	}
	s.js, err = jetStream(s.conn, s.cfg.Domain)
	return err
}

// copies is the directory of copies, each under the id of its streams.
func (s *Store) copies() string { return filepath.Join(s.cfg.Dir, "copy") }

// findCopy returns the id of the one copy there is, or nothing.
func (s *Store) findCopy() (string, error) {
	dirs, err := os.ReadDir(s.copies())
	if err != nil {
		return "", err
	}
	dirs = slices.DeleteFunc(dirs, func(d os.DirEntry) bool { return !streamID.MatchString(d.Name()) })
	switch len(dirs) {
	case 0:
		return "", nil
	case 1:
		return dirs[0].Name(), nil
	}
	return "", fmt.Errorf("%s has copies of %d streams: move away all but the one that is in use", s.copies(), len(dirs))
}

// openCopy opens a copy. One that is damaged is put aside: the stream has all of it.
func (s *Store) openCopy(id string) error {
	dir := filepath.Join(s.copies(), id)
	cfg := badgerkv.Config{Dir: dir, NoSync: true, Now: s.cfg.Now, Logger: s.cfg.Logger}
	r, err := badgerkv.OpenReplica(cfg)
	if _, damaged := errors.AsType[*badgerkv.DamageError](err); damaged || errors.Is(err, kv.ErrCorrupt) {
		aside := fmt.Sprintf("%s.damaged-%d", dir, time.Now().UnixMilli())
		s.cfg.Logger.Error("the copy is damaged: it is put aside, and loaded anew", "dir", aside, "err", err)
		if err := errors.Join(os.RemoveAll(dir+wholeSuffix), os.Rename(dir, aside)); err != nil {
			return err
		}
		r, err = badgerkv.OpenReplica(cfg)
	}
	if err != nil {
		return err
	}
	s.copy, s.id = r, id
	s.progress.set(r.Position().Revision)
	return nil
}

// wholeSuffix ends the name of a file that says of a copy that it was current once.
// Until then it lacks entries, and is of no use by itself.
const wholeSuffix = ".whole"

func (s *Store) wasWhole() bool {
	_, err := os.Stat(filepath.Join(s.copies(), s.id+wholeSuffix))
	return err == nil
}

func (s *Store) setWhole() error {
	if s.wasWhole() {
		return nil
	}
	return os.WriteFile(filepath.Join(s.copies(), s.id+wholeSuffix), nil, 0o600)
}

func (s *Store) closeCopy() error {
	if s.copy == nil {
		return nil
	}
	return s.copy.Close()
}

// start begins to follow the stream, and waits until the copy is current, or may be
// used as it is.
func (s *Store) start(ctx context.Context) error {
	if err := s.firstAttach(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.objects.start(s)
	s.running.Go(func() { s.follow(background) })
	s.running.Go(func() { s.objects.run(background) })
	return s.await(ctx)
}

// attachTimeout is how long one attempt may take to find the streams, or make them.
// Servers that have no leader yet leave requests unanswered.
const attachTimeout = 2 * time.Second

// firstAttach finds or makes the streams for a node that has no copy.
func (s *Store) firstAttach(ctx context.Context) error {
	if s.copy != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Wait)
	defer cancel()
	var refused error // by the one that said so last
	for began := time.Now(); ; {
		attempt, cancel := context.WithTimeout(ctx, attachTimeout)
		st, err := s.attach(attempt, "")
		cancel()
		if err == nil {
			return s.openCopy(st.id)
		}
		if err = s.withPermissions(err); diverged(err) {
			return err
		}
		if errors.Is(err, ErrRefused) {
			refused = err
		}
		if refused != nil && time.Since(began) > refusedTime {
			return fmt.Errorf("connect to %s: %w: %w", s.where(), kv.ErrUnavailable, refused)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("there is no copy yet, and %s has no usable NATS server: %w: %w", s.where(), kv.ErrUnavailable, err)
		case <-time.After(retryEvery):
		}
	}
}

// refusedTime is how long servers that refuse this node are asked again: one of several
// may not, or it has not read yet what it is to know.
const refusedTime = 3 * time.Second

// withPermissions adds why a server that is connected does not answer.
func (s *Store) withPermissions(err error) error {
	if last := s.conn.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: %w", explain(last), err)
	}
	return err
}

func (s *Store) where() string {
	if s.cfg.URL != "" {
		return s.cfg.URL
	}
	return "the connection"
}

// await waits for the first session to be current. Without the cluster it gives up
// after Config.Wait, which is no error if the copy was current once.
func (s *Store) await(ctx context.Context) error {
	fresh, began := !s.wasWhole(), time.Now()
	deadline := began.Add(s.cfg.Wait)
	for {
		status, changed := s.state.get()
		if status.Connected {
			return nil
		}
		cause := s.state.cause()
		refused := errors.Is(cause, ErrRefused) && time.Since(began) > refusedTime
		if !fresh && (time.Now().After(deadline) || refused || diverged(cause)) {
			s.cfg.Logger.Warn("the cluster can't be reached: going on with the copy", "revision", s.progress.get(), "why", status.Problem)
			return nil
		}
		if fresh && !s.conn.IsConnected() && time.Now().After(deadline) {
			return fmt.Errorf("load the copy: %w: %s", kv.ErrUnavailable, status.Problem)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Close implements kv.Store. It waits for what is under way.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.life.End()
		s.stop()
		s.running.Wait()
		s.closeErr = errors.Join(s.closeCopy(), s.offline.close())
		if s.cfg.Conn == nil {
			s.conn.Close()
		}
	})
	return s.closeErr
}

// Connected reports whether the copy is kept current and writes are taken.
func (s *Store) Connected() bool { return s.Status().Connected }

// Status says how the copy is.
func (s *Store) Status() Status {
	status, _ := s.state.get()
	if status.Connected {
		status.Current = time.Now()
	}
	status.Revision = s.progress.get()
	status.Servers = s.conn.Servers()
	return status
}

// Conn is the connection, for what else is kept in the cluster.
func (s *Store) Conn() *nats.Conn { return s.conn }

// Connect makes another connection to the same servers, for what is not to share one
// with the Store. Who asks closes it.
func (s *Store) Connect(options ...nats.Option) (*nats.Conn, error) {
	if s.cfg.URL == "" {
		return nil, errors.New("the store was given a connection, and knows no URL")
	}
	cfg := s.cfg
	cfg.Conn, cfg.Options = nil, slices.Concat(cfg.Options, options)
	return connect(cfg, func(error) {})
}

// JetStream is that of the connection.
func (s *Store) JetStream() jetstream.JetStream { return s.js }
