package runtime

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
)

// explainEvery is how often a Snapshot looks into its source maps at most, but for
// explainBurst times together: reading one takes milliseconds, and a Worker may fail
// all the time.
const (
	explainEvery = 500 * time.Millisecond
	explainBurst = 20
)

// explained is when the next time is due if there are none together, in nanoseconds
// since 1970.
type explained struct{ next atomic.Int64 }

func (e *explained) due(now time.Time) bool {
	next := e.next.Load()
	from := max(next, now.UnixNano()-int64(explainBurst*explainEvery))
	return from <= now.UnixNano() && e.next.CompareAndSwap(next, from+int64(explainEvery))
}

// explain shows an exception's places in the sources that the Worker was made of.
func (s *Snapshot) explain(ctx context.Context, err error) {
	if failure, ok := errors.AsType[*js.Failure](err); ok {
		failure.Stack = s.Explain(ctx, failure.Stack)
	}
}

// explainer is who explains stack traces in the log; nil if nobody can.
func (s *Snapshot) explainer() host.Explainer {
	if !s.Mapped {
		return nil
	}
	return s
}

// Explain implements host.Explainer.
func (s *Snapshot) Explain(ctx context.Context, text string) string {
	if !s.Mapped || s.runtime.cfg.Programs == nil || !s.explained.due(time.Now()) {
		return text
	}
	program, err := s.runtime.cfg.Programs(ctx, s.Module)
	if err != nil {
		return text
	}
	return js.MapStack(program, text)
}

// Programs reads what a Version stores, by its digest.
type Programs func(ctx context.Context, digest kv.Digest) ([]byte, error)
