package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/lagkv"
	"github.com/mayfly-run/mayfly/kv/lease"
)

// A node is its Lock with the Store that it is made of.
type node struct {
	*lease.Lock
	store *lagkv.Store
}

func join(c *lagkv.Cluster, owner string, lag func() time.Duration) node {
	s := c.Join(lag)
	return node{lease.New(lease.Config{Store: s, Key: "lock", Owner: owner}), s}
}

func mustAcquire(t *testing.T, l node) *lease.Held {
	t.Helper()
	h, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustRelease(t *testing.T, h *lease.Held) {
	t.Helper()
	if err := h.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// slow is the lag of a node that is seconds behind, and that only writing helps.
func slow() time.Duration { return 5 * time.Second }

func soon() time.Duration { return time.Duration(rand.IntN(20)) * time.Millisecond }

// TestOneAtATime has nodes count in a record that they don't compare.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lagkv.New(nil)
		const nodes, each = 4, 25
		var wg sync.WaitGroup
		for i := range nodes {
			n := join(c, fmt.Sprint(i), soon)
			for range 2 {
				wg.Go(func() {
					for range each {
						h := mustAcquire(t, n)
						if err := count(t.Context(), n.store); err != nil {
							t.Error(err)
						}
						mustRelease(t, h)
					}
				})
			}
			t.Cleanup(func() { n.store.Close() })
		}
		wg.Wait()
		e, err := c.Truth().Get(t.Context(), "count")
		if err != nil || string(e.Value) != fmt.Sprint(2*nodes*each) {
			t.Errorf("got %s, %v, want %d", e.Value, err, 2*nodes*each)
		}
	})
}

// count adds one to what a node reads, which takes a while.
func count(ctx context.Context, s kv.Store) error {
	e, err := s.Get(ctx, "count")
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	n, _ := strconv.Atoi(string(e.Value)) // nothing is 0
	time.Sleep(time.Millisecond)
	_, err = s.Put(ctx, "count", []byte(strconv.Itoa(n+1)), kv.PutOptions{})
	return err
}

// TestRenewed: who works for long stays the holder, and others wait.
func TestRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lagkv.New(nil)
		a, b := join(c, "a", nil), join(c, "b", slow)
		defer b.store.Close()
		h := mustAcquire(t, a)
		began := time.Now()
		got := make(chan time.Duration)
		go func() {
			h := mustAcquire(t, b)
			got <- time.Since(began)
			mustRelease(t, h)
		}()
		time.Sleep(10 * lease.DefaultTTL)
		if h.Lost() {
			t.Error("it was lost although it could be renewed")
		}
		mustRelease(t, h)
		if waited := <-got; waited < 10*lease.DefaultTTL || waited > 12*lease.DefaultTTL {
			t.Errorf("the other waited for %v", waited)
		}
	})
}

// TestDeadHolder: what a node that is gone has held is free after a while, and that
// node writes nothing more should it come back.
func TestDeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lagkv.New(nil)
		a, b := join(c, "a", nil), join(c, "b", soon)
		defer b.store.Close()
		dead := mustAcquire(t, a)
		ctx, cancel := dead.Context(t.Context())
		defer cancel()
		if _, err := a.store.Put(ctx, "k", nil, kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		a.store.Cut(true)
		began := time.Now()
		h := mustAcquire(t, b)
		if waited := time.Since(began); waited > 2*lease.DefaultTTL {
			t.Errorf("the other waited for %v", waited)
		}
		a.store.Cut(false)
		if _, err := a.store.Put(ctx, "k", nil, kv.PutOptions{}); !errors.Is(err, context.Canceled) || !errors.Is(context.Cause(ctx), lease.ErrLost) {
			t.Errorf("a write of the first: got %v because of %v", err, context.Cause(ctx))
		}
		if err := dead.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("release of the first: got %v", err)
		}
		mustRelease(t, h)
		mustRelease(t, mustAcquire(t, a))
	})
}

// TestPaused: a holder whose process stood still for too long begins no write, although
// no timer has run yet.
func TestPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := join(lagkv.New(nil), "a", nil)
		h := mustAcquire(t, a)
		ctx, cancel := h.Context(t.Context())
		defer cancel()
		a.store.Cut(true) // as good as standing still: nothing is renewed
		time.Sleep(lease.DefaultTTL / 10 * 9)
		a.store.Cut(false)
		if !h.Lost() || ctx.Err() == nil {
			t.Error("it is relied on until others may have it")
		}
		if err := h.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("got %v, want ErrLost", err)
		}
	})
}

// TestUnavailable: who can't reach the others is told at once, whether somebody has
// the lease or not, and gets it once it can.
func TestUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lagkv.New(nil)
		a, b := join(c, "a", nil), join(c, "b", nil)
		b.store.Cut(true)
		began := time.Now()
		if _, err := b.Acquire(t.Context()); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		b.store.Cut(false)
		h := mustAcquire(t, a)
		if err := b.store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.store.Cut(true)
		if _, err := b.Acquire(t.Context()); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("while it is held: got %v, want ErrUnavailable", err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it took %v", waited)
		}
		mustRelease(t, h)
		b.store.Cut(false)
		mustRelease(t, mustAcquire(t, b))
	})
}

// TestUnknown: a node that can't tell whether it gave the lease back takes it again.
func TestUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := join(lagkv.New(nil), "a", nil)
		h := mustAcquire(t, a)
		a.store.Cut(true)
		if err := h.Release(t.Context()); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		a.store.Cut(false)
		began := time.Now()
		mustRelease(t, mustAcquire(t, a))
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it waited for itself, %v", waited)
		}
	})
}

// TestGivenUp: who no longer wants to wait doesn't, in the process and in the cluster.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lagkv.New(nil)
		a, b := join(c, "a", nil), join(c, "b", nil)
		h := mustAcquire(t, a)
		for _, n := range []node{a, b} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := n.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		mustRelease(t, h)
		mustRelease(t, mustAcquire(t, b))
		mustRelease(t, mustAcquire(t, a))
	})
}
