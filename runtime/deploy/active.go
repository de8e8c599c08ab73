package deploy

import (
	"context"
	"errors"
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
	setup  runtime.Setup
	ready  atomic.Pointer[runtime.Snapshot]
	// loading has room for the one caller that loads.
	loading chan struct{}
	// retired is set before the Active's hold on the module is given back.
	retired atomic.Bool
}

// Snapshot returns what the Version's Invocations begin with. It is made if this
// is the first use since the node started. The error is runtime.ErrClosed once
// another Version has taken over. Where the Snapshot's Use then returns false,
// one has as well. In both cases Lookup again.
func (a *Active) Snapshot(ctx context.Context) (*runtime.Snapshot, error) {
	if s := a.ready.Load(); s != nil {
		return s, nil
	}
	select {
	case a.loading <- struct{}{}:
		defer func() { <-a.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := a.ready.Load(); s != nil {
		return s, nil
	}
	return a.load(ctx)
}

// load holds the module by itself meanwhile, because the Active may be retired
// at any moment.
func (a *Active) load(ctx context.Context) (*runtime.Snapshot, error) {
	a.code.hold(a.digest)
	defer a.code.drop(a.digest)
	data, err := a.blobs.Get(ctx, a.digest)
	if a.retired.Load() {
		return nil, runtime.ErrClosed // the module may have been removed
	}
	if err != nil {
		return nil, fmt.Errorf("read module of %s/%s: %w", a.Account, a.Function, err)
	}
	m, err := a.code.load(ctx, a.digest, data)
	if err != nil {
		return nil, fmt.Errorf("load module of %s/%s: %w", a.Account, a.Function, err)
	}
	s, err := a.prepare(ctx, m)
	if err == nil && a.retired.Load() {
		return nil, errors.Join(runtime.ErrClosed, s.Close())
	}
	return s, err
}

// prepare takes the Snapshot of a module that the caller holds.
func (a *Active) prepare(ctx context.Context, m *runtime.Module) (*runtime.Snapshot, error) {
	s, err := m.Prepare(ctx, a.setup)
	if err != nil {
		return nil, fmt.Errorf("prepare %s/%s: %w", a.Account, a.Function, err)
	}
	a.ready.Store(s)
	return s, nil
}

// retire frees the Snapshot and gives the module back once the Invocations under
// way have ended. The Active is not looked up any more.
func (a *Active) retire() {
	a.retired.Store(true)
	a.code.work.Go(func() {
		if s := a.ready.Load(); s != nil {
			s.Close()
		}
		a.code.drop(a.digest)
	})
}
