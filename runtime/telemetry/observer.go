package telemetry

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"go.opentelemetry.io/otel/trace"
)

// ObserverConfig configures an Observer. The zero value is ready.
type ObserverConfig struct {
	Failures int              // how many of each Function are kept; default 100
	Tracer   *Tracer          // nil: nothing is traced
	Now      func() time.Time // default: time.Now
	Logger   *slog.Logger     // default: discard
}

// Observer is told of every Invocation when it begins and when it has ended, and
// passes that on to those who want to know: meters always, failures where it failed,
// tails while there are any. Where only meters want to know, it allocates nothing
// and takes no lock. A nil Observer wants nothing. It is safe for concurrent use.
type Observer struct {
	cfg      ObserverConfig
	failures failures
	tails    tails
	peers    *peers // nil: there is no other node

	mu        sync.Mutex // guards what follows
	functions map[functionKey]*function
	versions  map[versionKey]*version
	retired   []*version // see Ledger
}

type functionKey struct{ account, function string }

type versionKey struct {
	functionKey
	version string
}

// function is what is kept of a Function.
type function struct {
	key   functionKey
	tails atomic.Pointer[[]*Tail] // nil while there are none
	quota Quota                   // of failures
}

// version is what is kept of a Version that serves.
type version struct {
	key      versionKey
	function *function
	meters   [host.Triggers]atomic.Pointer[meter] // nil until there is something to count
	// gone says that nothing was counted for long, and nobody looks here any more.
	gone atomic.Bool
}

// meter counts the Invocations that a kind of trigger started.
func (v *version) meter(t host.Trigger) *meter {
	if m := v.meters[t].Load(); m != nil {
		return m
	}
	v.meters[t].CompareAndSwap(nil, new(meter))
	return v.meters[t].Load()
}

// NewObserver makes an Observer.
func NewObserver(cfg ObserverConfig) *Observer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Failures == 0 {
		cfg.Failures = defaultFailures
	}
	return &Observer{
		cfg: cfg, functions: map[functionKey]*function{}, versions: map[versionKey]*version{},
		failures: failures{keep: cfg.Failures, functions: map[functionKey]*failureList{}, accounts: map[string]int64{}},
		tails:    tails{all: map[string]*Tail{}},
	}
}

// Observed is where an Observer finds what it keeps of a Version, so that it need
// not look that up for each Invocation. The zero value is ready.
type Observed struct{ version atomic.Pointer[version] }

// Begin prepares for a Call that begins. Its Bindings and its Request are set.
func (o *Observer) Begin(at *Observed, c *host.Call) {
	if o == nil {
		return
	}
	listens := o.version(at, c.Bindings).function.tails.Load() != nil
	var span trace.Span
	if o.cfg.Tracer != nil {
		span = o.cfg.Tracer.begin(c)
	}
	if listens || span != nil {
		c.Watcher = &recording{listens: listens, tracer: o.cfg.Tracer, span: span}
	}
}

// Ended is how an Invocation went.
type Ended struct {
	Outcome host.Outcome
	Err     error // why the Outcome is not ok; for the Function's owner
	Status  int   // of the response
}

// End tells of a Call that has ended and was not Reset yet.
func (o *Observer) End(at *Observed, c *host.Call, e Ended) {
	if o == nil {
		return
	}
	v := o.version(at, c.Bindings)
	v.meter(c.Trigger).add(e.Outcome, &c.Usage)
	if isFailure(e.Outcome) {
		o.fail(v, c, e)
	}
	r, ok := c.Watcher.(*recording)
	if !ok {
		return
	}
	if r.listens {
		v.function.tell(r, c, e, o.peers.name())
	}
	if r.span != nil {
		endSpan(r.span, c, e)
	}
}

// version finds what is kept of a Version, by itself where that was found before.
func (o *Observer) version(at *Observed, b *host.Bindings) *version {
	if v := at.version.Load(); v != nil && !v.gone.Load() {
		return v
	}
	v := o.lookup(versionKey{functionKey{b.Account, b.Function}, b.Version})
	at.version.Store(v)
	return v
}

func (o *Observer) lookup(key versionKey) *version {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := o.versions[key]
	if v == nil {
		v = &version{key: key, function: o.functionLocked(key.functionKey)}
		o.versions[key] = v
	}
	return v
}

// functionLocked needs o.mu.
func (o *Observer) functionLocked(key functionKey) *function {
	f := o.functions[key]
	if f == nil {
		f = &function{key: key}
		o.functions[key] = f
	}
	return f
}

func (o *Observer) function(key functionKey) *function {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.functionLocked(key)
}

// Forget drops the failures of a Function that was deleted, and ends its tails. An
// empty function stands for all of the account.
func (o *Observer) Forget(account, function string) {
	if o == nil {
		return
	}
	key := functionKey{account, function}
	o.failures.forget(key)
	o.forgetTails(key)
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range o.functions {
		if key.covers(k) {
			delete(o.functions, k)
		}
	}
}

// covers reports whether k is meant, where an empty function means all of them.
func (key functionKey) covers(k functionKey) bool {
	return k.account == key.account && (key.function == "" || k.function == key.function)
}
