package deploy

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/cache"
	"github.com/mayfly-run/mayfly/host/ratelimit"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// Config of a Registry. Store, Blobs, Runtime, Services and Domain are required.
type Config struct {
	Store   kv.Store // records of the node and the users' entries
	Blobs   kv.Blobs // modules and snapshots
	Runtime *runtime.Runtime
	// Room is asked before a module of so many bytes is compiled. An error, such as
	// one that wraps kv.ErrNoSpace, is what Deploy returns. Default: there is.
	Room func(size int64) error
	// Services are for the initialisation of modules, which reaches only some.
	Services *host.Services
	// Call lets a Function that find finds answer a request of another one; see
	// trigger.Runner. Nil: Functions can't call each other.
	Call func(ctx context.Context, req *host.FetchRequest, find func() (*Active, error)) (*host.FetchResponse, error)
	// Queues has the messages of queues; nil: there are none, and sending is refused.
	Queues kv.Queues
	// Secrets seals the secrets of Functions; nil if there can be none.
	Secrets *secret.Keyring
	// Domain is what Functions get their own hosts below: <function>.<domain>
	// in account local, <function>.<account>.<domain> in others.
	Domain string
	// Limits are in force where a Version sets none. Unset fields are those of
	// host.DefaultLimits.
	Limits host.Limits
	// MaxLimits are the highest that a Version may set. Unset fields are those
	// of Limits.
	MaxLimits host.Limits
	// KeepVersions is how many Versions of a Function are kept, beside those that
	// serve. Default: the constant KeepVersions.
	KeepVersions int
	// CodeMemory is how much memory code, images and idle instances may take, in
	// bytes; default DefaultCodeMemory. What is beyond it is freed, the least
	// recently used first, and comes back from disk when it is used.
	CodeMemory int64
	// Memory is what running guests and what is held for them may take together,
	// in bytes, and AccountMemory what those of one account may; 0 is no bound.
	Memory, AccountMemory int64
	// AccountConcurrency is how many Invocations of one account, those that others
	// call not counted, may run at the same time; 0 is no bound.
	AccountConcurrency int
	// Assets has the bytes of static files; default: with assets.DefaultMemory.
	Assets      *assets.Server
	AssetLimits AssetLimits
	// Cache has what Workers put into their caches; default: one of the default size.
	Cache *cache.Cache
	// Schedules is how many an account may have; default DefaultSchedules.
	Schedules int
	// Cluster is needed where other nodes use the same Store; nil: there are none.
	Cluster *Cluster
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: discard
}

// DefaultCodeMemory is Config.CodeMemory where nothing is said.
const DefaultCodeMemory = 1 << 30

// Registry knows what is deployed, for whom, and who may change it. Its records
// are in the store; a snapshot of them in memory answers all lookups. It is
// safe for concurrent use. One Registry uses a store at a time, unless all that do have
// a Config.Cluster.
//
// Errors for users are *host.Error; all others are internal.
type Registry struct {
	cfg    Config
	shares *shares
	limits *ratelimit.Limits

	current atomic.Pointer[snapshot]

	cluster *cluster // nil: there are no other nodes

	mu sync.Mutex // held by every change, from the check to the new snapshot
	// uses counts the records of each blob by its digest; not in a cluster. Guarded by mu.
	uses  map[string]int
	files *assetStore // static files

	stop     context.CancelFunc // of work
	ended    <-chan struct{}    // closed by Close
	work     sync.WaitGroup     // warm, empty, keepRoom and watchRollouts
	retiring sync.WaitGroup     // Actives
	deleted  chan struct{}      // capacity 1: some namespace is marked as deleted
	crowded  chan struct{}      // capacity 1: something was loaded
	rollouts chan struct{}      // capacity 1: there may be a new Rollout

	// logged are the rules by which the store logs changes; nil: it can't. Guarded by mu.
	logged      []kv.ChangeRule
	retriggered chan struct{} // capacity 1: there may be other KV triggers

	freed int64 // bytes since the last collection of garbage; keepRoom's
}

// NewRegistry loads the records, removes what an interrupted change left
// behind, and begins to load the active modules in the background.
func NewRegistry(ctx context.Context, cfg Config) (*Registry, error) {
	if err := setDefaults(&cfg); err != nil {
		return nil, err
	}
	r := &Registry{cfg: cfg, cluster: newCluster(cfg), shares: newShares(cfg), files: newAssetStore(cfg.Cluster != nil), limits: ratelimit.New(), uses: map[string]int{},
		deleted: make(chan struct{}, 1), crowded: make(chan struct{}, 1), rollouts: make(chan struct{}, 1), retriggered: make(chan struct{}, 1)}
	cfg.Runtime.Within(cfg.CodeMemory, r.wantRoom)
	work, stop := context.WithCancel(context.Background())
	r.stop, r.ended = stop, work.Done()
	if err := r.open(ctx, work); err != nil {
		stop()
		r.work.Wait()
		return nil, err
	}
	r.work.Go(func() { r.warm(work) })
	r.work.Go(func() { r.empty(work) })
	r.work.Go(func() { r.keepEmpty(work) })
	r.work.Go(func() { r.sweep(work) })
	r.work.Go(func() { r.keepRoom(work) })
	r.work.Go(func() { r.watchRollouts(work) })
	return r, nil
}

// open makes the first snapshot, and begins to follow what others change.
func (r *Registry) open(ctx, work context.Context) error {
	if r.cluster != nil {
		return r.join(ctx, work)
	}
	s, err := r.load(ctx)
	if err != nil {
		return fmt.Errorf("load registry: %w", err)
	}
	if err := r.collect(ctx, s); err != nil {
		return fmt.Errorf("collect leftovers: %w", err)
	}
	if err := r.beginLog(ctx, s); err != nil {
		return fmt.Errorf("log changes: %w", err)
	}
	r.current.Store(s)
	return nil
}

func setDefaults(cfg *Config) error {
	domain, err := router.ParseHost(cfg.Domain)
	if err != nil {
		return fmt.Errorf("node domain: %w", err)
	}
	if longest := 253 - 2*(maxName+1); len(domain) > longest {
		return fmt.Errorf("node domain has %d bytes, and at most %d are allowed", len(domain), longest)
	}
	cfg.Domain = domain
	cfg.Limits = cfg.Limits.Or(host.DefaultLimits())
	cfg.MaxLimits = cfg.MaxLimits.Or(cfg.Limits)
	if cfg.CodeMemory == 0 {
		cfg.CodeMemory = DefaultCodeMemory
	}
	if cfg.KeepVersions == 0 {
		cfg.KeepVersions = KeepVersions
	}
	if cfg.Schedules == 0 {
		cfg.Schedules = DefaultSchedules
	}
	if cfg.Room == nil {
		cfg.Room = func(int64) error { return nil }
	}
	if cfg.Cache == nil {
		cfg.Cache = cache.New(cache.Config{Now: cfg.Now})
	}
	if cfg.Assets == nil {
		cfg.Assets = assets.NewServer(cfg.Blobs, 0)
	}
	cfg.AssetLimits = cfg.AssetLimits.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Close ends the background work. The Registry's Actives must not be in use.
func (r *Registry) Close() error {
	r.stop()
	r.work.Wait()
	for _, f := range r.current.Load().functions {
		for _, a := range f.actives() {
			a.retire()
		}
		f.previews.retire(nil)
	}
	r.retiring.Wait()
	return nil
}

// Lookup finds what serves a URL; see router.Table for the arguments. It
// allocates nothing, unless the host is that of a preview.
func (r *Registry) Lookup(scheme, host, pathQuery []byte) (*Serving, bool) {
	s := r.current.Load()
	if serving, ok := s.table.Lookup(scheme, host, pathQuery); ok {
		return serving, true
	}
	serving := r.preview(s, host)
	return serving, serving != nil
}

// load reads all records.
func (r *Registry) load(ctx context.Context) (*snapshot, error) {
	s := newSnapshot()
	if err := r.loadAccounts(ctx, s); err != nil {
		return nil, err
	}
	err := records(ctx, r.cfg.Store, functionRecords, func(f Function, revision uint64) error {
		d, err := r.loadFunction(ctx, s, f, revision)
		if err == nil {
			s.functions[f.id()] = d
			return nil
		}
		if r.cluster == nil {
			return err
		}
		r.cfg.Logger.Error("load Function, which is tried again", "account", f.Account, "function", f.Name, "err", err)
		r.cluster.again([]string{functionRecord(f.id())})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, s.buildTable()
}

func (r *Registry) loadAccounts(ctx context.Context, s *snapshot) error {
	err := records(ctx, r.cfg.Store, accountRecords, func(a Account, revision uint64) error {
		s.accounts[a.Name], s.revisions[accountRecords+a.Name] = a, revision
		return nil
	})
	if err != nil {
		return err
	}
	err = records(ctx, r.cfg.Store, namespaceRecords, func(ns Namespace, revision uint64) error {
		s.namespaces[ns.ID], s.revisions[namespaceRecords+ns.ID] = ns, revision
		return nil
	})
	if err != nil {
		return err
	}
	err = records(ctx, r.cfg.Store, queueRecords, func(q Queue, revision uint64) error {
		s.queues[q.ID], s.revisions[queueRecords+q.ID] = q, revision
		return nil
	})
	if err != nil {
		return err
	}
	return records(ctx, r.cfg.Store, tokenRecords, func(t Token, revision uint64) error {
		s.tokens[t.ID], s.revisions[tokenRecords+t.ID] = t, revision
		return nil
	})
}

// loadFunction makes what serves from the records of a Function. What was
// accepted when it was deployed is not questioned again: limits of the node
// that were lowered since bound new Versions only.
func (r *Registry) loadFunction(ctx context.Context, s *snapshot, f Function, revision uint64) (*deployed, error) {
	d, err := r.serve(ctx, s, f, nil)
	if err != nil {
		return nil, err
	}
	d.revision = revision
	return d, nil
}

// warm loads active modules one after the other, so that the first requests after
// a start need not wait, until a part of the memory for them is full.
func (r *Registry) warm(ctx context.Context) {
	for _, f := range r.current.Load().functions {
		if ctx.Err() != nil || r.cfg.Runtime.Bytes() > r.cfg.CodeMemory/4*3 {
			return
		}
		a := f.main()
		if _, err := a.Snapshot(ctx, time.Now()); err != nil && !a.retired.Load() && ctx.Err() == nil {
			r.cfg.Logger.Error("warm module", "account", f.Account, "function", f.Name, "err", err)
		}
	}
}
