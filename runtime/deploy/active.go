package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// Active is a Version that serves, with everything an Invocation needs. Its
// fields are not changed, and it is safe for concurrent use.
type Active struct {
	Account   string
	Function  string
	VersionID string
	Version   Version
	Bindings  *host.Bindings
	Assets    *assets.Handle // of static files; nil if there are none
	Limits    host.Limits    // complete: the node's where the Version sets none

	share    *accountShare
	places   *places // the Function's
	registry *Registry
	digest   kv.Digest // of the module
	setup    runtime.Setup
	secrets  secretValues
	failure  error // why it can't serve
	// Observed is what telemetry keeps of the Version.
	Observed *telemetry.Observed
	// outcomes points to nil while nobody wants to know.
	outcomes *atomic.Pointer[telemetry.Outcomes]
	*residence
}

// residence is where a Version's Snapshot is. Versions that differ in secrets alone
// share it: no secret is in a Snapshot.
type residence struct {
	ready atomic.Pointer[runtime.Snapshot] // nil until it is used, and again when there was no room for it
	used  atomic.Int64                     // when, in nanoseconds since 1970
	// loading has room for the one caller that changes ready.
	loading chan struct{}
	retired atomic.Bool // another Version serves
	// Failures bounds what is logged of the Version's.
	Failures telemetry.Quota
}

func newResidence() *residence { return &residence{loading: make(chan struct{}, 1)} }

// Snapshot returns what the Version's Invocations begin with. It is loaded if it
// is not in memory. The error is runtime.ErrClosed once another Version has taken
// over. Where the Snapshot's Use then returns false, one has, or the Snapshot just
// had to make room. In these cases Lookup again. now orders the uses.
func (a *Active) Snapshot(ctx context.Context, now time.Time) (*runtime.Snapshot, error) {
	if a.failure != nil {
		return nil, a.failure
	}
	a.used.Store(now.UnixNano())
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

// load needs a.loading.
func (a *Active) load(ctx context.Context) (*runtime.Snapshot, error) {
	s, err := a.registry.restore(ctx, a)
	if err != nil {
		if !errors.Is(err, kv.ErrNotFound) {
			a.registry.cfg.Logger.Info("take snapshot again", "account", a.Account, "function", a.Function, "why", err)
		}
		s, err = a.registry.take(ctx, a)
	}
	if a.retired.Load() { // what it was loaded from may have been removed
		if s != nil {
			return nil, errors.Join(runtime.ErrClosed, s.Close())
		}
		return nil, runtime.ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("load %s/%s: %w", a.Account, a.Function, err)
	}
	a.serve(s)
	return s, nil
}

// serve makes a Snapshot the one that requests begin with.
func (a *Active) serve(s *runtime.Snapshot) {
	s.Budget = a.share.memory
	a.places.setMost(a.Limits.Concurrency)
	a.used.Store(time.Now().UnixNano())
	a.ready.Store(s)
	a.registry.wantRoom()
}

// unload frees the Snapshot once the Invocations under way have ended.
func (a *Active) unload() error {
	a.loading <- struct{}{}
	defer func() { <-a.loading }()
	if s := a.ready.Swap(nil); s != nil {
		return s.Close()
	}
	return nil
}

// makeRoom frees the Snapshot if no Invocation is under way. The next use loads
// it again. Unless all is to go, one that is Light only loses its Instances.
func (a *Active) makeRoom(all bool) (unloaded bool, err error) {
	a.loading <- struct{}{}
	defer func() { <-a.loading }()
	s := a.ready.Load()
	if s == nil {
		return false, nil
	}
	if !all && s.Light() {
		s.Rest()
		return false, nil
	}
	a.ready.Store(nil)
	closed, err := s.TryClose()
	if !closed {
		a.ready.Store(s)
	}
	return closed, err
}

// retire frees the Snapshot in the background. The Active is not looked up any
// more.
func (a *Active) retire() {
	a.retired.Store(true)
	a.registry.retiring.Go(func() {
		if err := a.unload(); err != nil {
			a.registry.cfg.Logger.Error("free snapshot", "account", a.Account, "function", a.Function, "err", err)
		}
	})
}
