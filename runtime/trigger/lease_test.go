package trigger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

func mustLease(t *testing.T, store kv.Store, node string) *trigger.Lease {
	t.Helper()
	l, err := trigger.NewLease(t.Context(), store, node, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustHold(t *testing.T, l *trigger.Lease) *trigger.Held {
	t.Helper()
	h, err := l.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func wantLive(t *testing.T, by *trigger.Lease, id string, want bool) {
	t.Helper()
	synctest.Wait()
	if got, err := by.Live(t.Context(), id); got != want || err != nil {
		t.Errorf("after %v: live %v, %v; want %v", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), got, err, want)
	}
}

// A lease lives as long as it is held, and not much longer.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New(memkv.Config{})
		a, b := mustLease(t, store, "a"), mustLease(t, store, "b")
		defer b.Close(t.Context())
		wantLive(t, b, "a/1", false)
		h := mustHold(t, a)
		time.Sleep(time.Hour)
		wantLive(t, b, h.ID, true)
		if again := mustHold(t, a); again.ID != h.ID {
			t.Errorf("held again it is %s, want %s", again.ID, h.ID)
		} else {
			again.Release()
		}
		h.Release()
		time.Sleep(time.Minute)
		wantLive(t, b, h.ID, false)
		later := mustHold(t, a)
		if later.ID == h.ID || later.Over.Err() != nil {
			t.Errorf("a lease that had run out is %s again, %v", later.ID, later.Over.Err())
		}
		later.Release()
		a.Close(t.Context())
		wantLive(t, b, later.ID, false)
	})
}

// A node that can't write loses what it holds before others take it.
func TestLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New(memkv.Config{})
		full := &fullStore{Store: store}
		a, b := mustLease(t, full, "a"), mustLease(t, store, "b")
		h := mustHold(t, a)
		full.on.Store(true)
		time.Sleep(15 * time.Second)
		if h.Over.Err() != nil {
			t.Error("the lease is lost at the first failure")
		}
		<-h.Over.Done()
		wantLive(t, b, h.ID, true) // not yet
		time.Sleep(leaseRest)
		wantLive(t, b, h.ID, false)
		if _, err := a.Hold(t.Context()); err == nil {
			t.Error("a lease without a write")
		}
		full.on.Store(false)
		next := mustHold(t, a)
		wantLive(t, b, next.ID, true)
		wantLive(t, b, h.ID, false)
		h.Release()
		next.Release()
		a.Close(t.Context())
	})
}

const leaseRest = 5 * time.Second

// A process that was started anew ends what the one before had.
func TestLeaseOfARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New(memkv.Config{})
		old := mustLease(t, store, "a")
		h := mustHold(t, old)
		again := mustLease(t, store, "a")
		wantLive(t, again, h.ID, false)
		held := mustHold(t, again)
		<-h.Over.Done()
		time.Sleep(time.Minute)
		wantLive(t, again, held.ID, true)
		held.Release()
		h.Release()
		if err := old.Close(context.Background()); err != nil {
			t.Error(err)
		}
		wantLive(t, again, held.ID, true)
		again.Close(t.Context())
	})
}

// unreachable is the store of a node that is cut off from its cluster.
type unreachable struct{ kv.Store }

func (unreachable) Put(context.Context, string, []byte, kv.PutOptions) (uint64, error) {
	return 0, kv.ErrUnavailable
}

func (unreachable) Delete(context.Context, string, kv.DeleteOptions) error { return kv.ErrUnavailable }

// A node starts while it can't reach its cluster, and begins nothing meanwhile.
func TestStartsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := newMailbox(t), newTower(t)
		first := p.start()
		p.accept(first, "once")
		synctest.Wait()
		over(first)
		p.got = nil
		w.watch("job", "1", "", 2)
		w.put("k", "fine")
		i := p.startWith(trigger.InvocationsConfig{Store: unreachable{p.store}})
		_, end := w.start("a", unreachable{w.store})
		time.Sleep(10 * time.Minute)
		p.want(1)
		w.want(1)
		over(i)
		end()
	})
}

// refusing is a store that deletes nothing.
type refusing struct {
	kv.Store
	err error
}

func (r refusing) Delete(context.Context, string, kv.DeleteOptions) error { return r.err }

// A node starts although it can't end the lease that it had.
func TestLeaseThatCannotBeEnded(t *testing.T) {
	for _, err := range []error{kv.ErrNoSpace, kv.ErrUnavailable} {
		mustLease(t, refusing{memkv.New(memkv.Config{}), err}, "a")
	}
}
