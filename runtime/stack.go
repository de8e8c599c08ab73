package runtime

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
)

// explainEvery is how often a Snapshot looks into its source maps at most: reading
// one takes milliseconds, and a Worker may fail all the time.
const explainEvery = 500 * time.Millisecond

// explained is when that was last, in nanoseconds since 1970.
type explained struct{ last atomic.Int64 }

func (e *explained) due(now time.Time) bool {
	last := e.last.Load()
	return now.UnixNano()-last >= int64(explainEvery) && e.last.CompareAndSwap(last, now.UnixNano())
}

// explain shows an exception's places in the sources that the Worker was made of.
func (s *Snapshot) explain(ctx context.Context, err error) {
	failure, ok := errors.AsType[*js.Failure](err)
	if !ok || !s.Mapped || s.runtime.cfg.Programs == nil || !s.explained.due(time.Now()) {
		return
	}
	if program, err := s.runtime.cfg.Programs(ctx, s.Module); err == nil {
		failure.Stack = js.MapStack(program, failure.Stack)
	}
}

// Programs reads what a Version stores, by its digest.
type Programs func(ctx context.Context, digest kv.Digest) ([]byte, error)
