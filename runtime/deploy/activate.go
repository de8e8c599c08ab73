package deploy

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/router"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// Host is where a Function serves beside its Routes.
func (r *Registry) Host(account, function string) string {
	if account == Local {
		return function + "." + r.cfg.Domain
	}
	return function + "." + account + "." + r.cfg.Domain
}

// activate resolves what a Version asks for, and gives it its secrets.
func (r *Registry) activate(s *snapshot, f Function, v Version, secrets secretValues) (*Active, error) {
	digest, err := kv.ParseDigest(v.Digest)
	if err != nil {
		return nil, err
	}
	setup, err := r.setup(s, f, v)
	if err != nil {
		return nil, err
	}
	a := &Active{
		Assets:  r.assetHandle(v),
		Account: f.Account, Function: f.Name, VersionID: v.ID, Version: v,
		Limits: setup.Limits,
		share:  r.shares.account(f.Account), places: r.shares.function(f.id(), setup.Limits.Concurrency),
		registry: r, digest: digest, setup: setup, residence: newResidence(), Observed: new(telemetry.Observed), outcomes: new(atomic.Pointer[telemetry.Outcomes]),
	}
	return a.with(secrets), nil
}

// activateStored is activate for a Version that is stored already. One that differs
// from others of the Function in secrets alone shares what is loaded of them.
func (r *Registry) activateStored(ctx context.Context, s *snapshot, f Function, id string, others ...*Active) (*Active, error) {
	v, _, err := read[Version](ctx, r.cfg.Store, versionRecord(f.id(), id))
	if err != nil {
		return nil, err
	}
	secrets := r.openSecrets(ctx, f.id(), v)
	for _, a := range others {
		if v.Trigger == TriggerSecret && a.Version.Digest == v.Digest && reflect.DeepEqual(a.Version.Settings, v.Settings) {
			return a.as(v, secrets), nil
		}
	}
	a, err := r.activate(s, f, v, secrets)
	if err != nil {
		return nil, fmt.Errorf("activate version %s of %s/%s: %w", id, f.Account, f.Name, err)
	}
	return a, nil
}

// serve makes what serves a Function from its newest Deployment. Versions that
// serve already, or are among more, go on with what they have.
func (r *Registry) serve(ctx context.Context, s *snapshot, f Function, old *deployed, more ...*Active) (*deployed, error) {
	own, err := router.ParsePattern(r.Host(f.Account, f.Name) + "/*")
	if err != nil {
		return nil, err
	}
	d := &deployed{Function: f, host: own, serving: &Serving{function: f.Name}}
	if old != nil {
		d.revision, d.previews = old.revision, old.previews
		more = append(more, old.actives()...)
	} else {
		d.previews = newPreviews()
	}
	for _, share := range f.Deployments[0].Versions {
		a := find(more, share.Version)
		if a == nil {
			if a, err = r.activateStored(ctx, s, f, share.Version, more...); err != nil {
				return nil, err
			}
		}
		d.serving.versions = append(d.serving.versions, servingVersion{a, share.Percentage})
	}
	if d.live = d.serving; r.cluster != nil && old != nil && !d.serving.ready(old) {
		d.live = old.live // until what is new is loaded
	}
	return d, nil
}

func find(list []*Active, version string) *Active {
	for _, a := range list {
		if a.VersionID == version {
			return a
		}
	}
	return nil
}

// setup is what the module of a Version is initialised with: there are no secrets
// in it.
func (r *Registry) setup(s *snapshot, f Function, v Version) (runtime.Setup, error) {
	bindings, err := r.bind(s, f, v)
	if err != nil {
		return runtime.Setup{}, err
	}
	warmup, err := v.Settings.Snapshot.Requests(r.Host(f.Account, f.Name))
	return runtime.Setup{
		Services: r.cfg.Services, Bindings: bindings, Limits: v.Settings.Limits.host().Or(r.cfg.Limits),
		Fresh: v.Settings.Snapshot.Disabled, Warmup: warmup,
	}, err
}

func (r *Registry) bind(s *snapshot, f Function, v Version) (*host.Bindings, error) {
	b := &host.Bindings{
		Account: f.Account, Function: f.Name, Version: v.ID,
		KV:     make(map[string]kv.Store, len(v.Settings.KVNamespaces)),
		Egress: v.Settings.Egress.hosts(),
	}
	b.Env, b.Environ = v.Settings.env()
	b.Fetchers = r.fetchers(f.Account, v.Settings.Services)
	b.RateLimits = r.limiters(f.Account, v.Settings.RateLimits)
	b.Queues = r.producers(f.Account, v.Settings.Queues)
	b.Cache = r.cfg.Cache.Of(f.Account)
	for _, want := range v.Settings.KVNamespaces {
		ns, err := s.namespace(f.Account, want.ID)
		if err != nil {
			return nil, invalid("KV binding %q: %v; create it, or bind one that exists", want.Binding, err)
		}
		b.KV[want.Binding] = r.entries(ns)
	}
	r.bindAssets(b, v)
	return b, nil
}

// entries is where the entries of a namespace are.
func (r *Registry) entries(ns Namespace) kv.Store {
	return kv.Sub(r.cfg.Store, EntriesPrefix(ns.ID))
}

// checkVersion refuses settings beyond what this node allows.
func (r *Registry) checkVersion(s *snapshot, f Function, v Version) error {
	if err := CheckName(f.Name); err != nil {
		return invalid("%v", err)
	}
	if _, err := s.account(f.Account); err != nil {
		return err
	}
	if err := v.Settings.Limits.within(r.cfg.MaxLimits); err != nil {
		return err
	}
	if _, err := r.bind(s, f, v); err != nil {
		return err
	}
	if err := v.check(); err != nil {
		return err
	}
	if err := s.checkServices(f.id(), v.Settings.Services); err != nil {
		return err
	}
	if err := s.checkProducers(f.Account, v.Settings.Queues); err != nil {
		return err
	}
	if err := v.checkSecrets(f.Name); err != nil {
		return err
	}
	if err := r.checkAssets(f.Account, v); err != nil {
		return err
	}
	return r.checkRoutes(s, f)
}

func (v Version) check() error {
	if len(v.Message) > maxMessage || !utf8.ValidString(v.Message) {
		return invalid("the message of a version is text of at most %d bytes", maxMessage)
	}
	if len(v.Tag) > maxTag || !utf8.ValidString(v.Tag) {
		return invalid("the tag of a version is text of at most %d bytes", maxTag)
	}
	return v.Settings.check()
}

// checkMemory compares what a module needs with what it may have.
func checkMemory(need, limit int64) error {
	if need <= limit {
		return nil
	}
	return invalid("the module needs %s of memory to start, and its limit is %s; raise limits.memory_mb, or build it with less",
		mib(need), mib(limit))
}

func mib(n int64) string { return fmt.Sprintf("%g MiB", float64(n)/(1<<20)) }
