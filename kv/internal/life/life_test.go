package life_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/life"
)

// End waits for calls, and none begins after it.
func TestEnd(t *testing.T) {
	var l life.Life
	var left atomic.Int64
	const calls = 8
	for range calls {
		if err := l.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		go func() {
			left.Add(1)
			l.Leave()
		}()
	}
	l.End()
	if n := left.Load(); n != calls {
		t.Errorf("%d of %d calls were over when End returned", n, calls)
	}
	if err := l.Enter(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("after End: got %v, want %v", err, kv.ErrClosed)
	}
}

// A call whose context has ended did not begin, and nobody waits for it.
func TestEnterCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var l life.Life
	if err := l.Enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	l.End()
	if err := l.Enter(ctx); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("after End: got %v, want %v", err, kv.ErrClosed)
	}
}
