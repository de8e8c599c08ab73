package deploy

import (
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// Host is where a Function serves beside its Routes.
func (r *Registry) Host(account, function string) string {
	if account == Local {
		return function + "." + r.cfg.Domain
	}
	return function + "." + account + "." + r.cfg.Domain
}

// activate resolves what a Version asks for, and gives it the Function's secrets.
func (r *Registry) activate(s *snapshot, f Function, v Version, secrets secretValues) (*deployed, error) {
	own, err := router.ParsePattern(r.Host(f.Account, f.Name) + "/*")
	if err != nil {
		return nil, err
	}
	digest, err := kv.ParseDigest(v.Digest)
	if err != nil {
		return nil, err
	}
	setup, err := r.setup(s, f, v)
	if err != nil {
		return nil, err
	}
	a := &Active{
		Account: f.Account, Function: f.Name, VersionID: v.ID, Version: v,
		Limits: setup.Limits,
		share:  r.shares.account(f.Account), gate: r.shares.function(f.id(), setup.Limits.Concurrency),
		registry: r, digest: digest, setup: setup, residence: newResidence(),
	}
	return &deployed{Function: f, host: own, active: a.with(secrets), secrets: secrets}, nil
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
	for _, want := range v.Settings.KVNamespaces {
		ns, err := s.namespace(f.Account, want.ID)
		if err != nil {
			return nil, invalid("KV binding %q: %v; create it, or bind one that exists", want.Binding, err)
		}
		b.KV[want.Binding] = r.entries(ns)
	}
	return b, nil
}

// entries is where the entries of a namespace are.
func (r *Registry) entries(ns Namespace) kv.Store {
	return kv.Sub(r.cfg.Store, userEntries+ns.ID+"/")
}

// checkVersion refuses settings beyond what this node allows.
func (r *Registry) checkVersion(s *snapshot, f Function, v Version) error {
	if err := CheckName(f.Name); err != nil {
		return invalid("%v", err)
	}
	if _, err := s.account(f.Account); err != nil {
		return err
	}
	if err := v.Settings.check(); err != nil {
		return err
	}
	if err := v.Settings.Limits.within(r.cfg.MaxLimits); err != nil {
		return err
	}
	if _, err := r.bind(s, f, v); err != nil {
		return err
	}
	if err := f.checkSecrets(v.Settings); err != nil {
		return err
	}
	return r.checkRoutes(s, f)
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
