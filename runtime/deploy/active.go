package deploy

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
)

// Active is a Version that serves, with everything an Invocation needs. Its
// fields are not changed, and it is safe for concurrent use.
type Active struct {
	Account   string
	Function  string
	VersionID string
	Version   Version
	Bindings  *host.Bindings
	Limits    host.Limits // complete: the node's where the Version sets none

	blobs  kv.Blobs
	code   *code
	digest kv.Digest
	module atomic.Pointer[runtime.Module]
	// loading has room for the one caller that loads the module.
	loading chan struct{}
	// retired is set before the Active's hold on the module is given back.
	retired atomic.Bool
}

// Module returns the compiled module. It compiles it if this is the first use
// since the node started. The error is runtime.ErrUnloaded once another Version
// has taken over. Where the module's Use then returns false, one has as well. In
// both cases Lookup again.
func (a *Active) Module(ctx context.Context) (*runtime.Module, error) {
	if m := a.module.Load(); m != nil {
		return m, nil
	}
	select {
	case a.loading <- struct{}{}:
		defer func() { <-a.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m := a.module.Load(); m != nil {
		return m, nil
	}
	return a.load(ctx)
}

// load holds the module by itself meanwhile, because the Active may be retired
// at any moment.
func (a *Active) load(ctx context.Context) (*runtime.Module, error) {
	a.code.hold(a.digest)
	defer a.code.drop(a.digest)
	data, err := a.blobs.Get(ctx, a.digest)
	if a.retired.Load() {
		return nil, runtime.ErrUnloaded // the module may have been removed
	}
	if err != nil {
		return nil, fmt.Errorf("read module of %s/%s: %w", a.Account, a.Function, err)
	}
	m, err := a.code.load(ctx, a.digest, data)
	if err != nil {
		return nil, fmt.Errorf("load module of %s/%s: %w", a.Account, a.Function, err)
	}
	a.module.Store(m)
	return m, nil
}

// retire gives the module back. The Active is not looked up any more, but may
// be in use.
func (a *Active) retire() {
	a.retired.Store(true)
	a.code.drop(a.digest)
}
