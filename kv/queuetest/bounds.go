package queuetest

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// wantRefused checks that a Receive that is Bounded gets a limit, whatever waits.
func (f *fixture) wantRefused(t *testing.T, q kv.Queue) {
	t.Helper()
	list, err := f.Receive(t.Context(), q, kv.ReceiveOptions{Max: 1, Lease: long, Bounded: true})
	if limit, ok := errors.AsType[*kv.LimitError](err); !ok || limit.Status != http.StatusTooManyRequests || len(list) > 0 {
		t.Fatalf("got %d messages, %v; want a limit of status 429", len(list), err)
	}
}

// mustBounded receives n messages at once. What was settled just before may still wait to
// be given out.
func (f *fixture) mustBounded(t *testing.T, q kv.Queue, most, n int) (list []kv.Delivery) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); len(list) == 0 && time.Now().Before(deadline); {
		if list, err = f.Receive(t.Context(), q, kv.ReceiveOptions{Max: most, Lease: long, Bounded: true}); err != nil {
			t.Fatal(err)
		}
	}
	if len(list) != n {
		t.Fatalf("got %d messages, want %d", len(list), n)
	}
	return list
}

// The queues of an account have so many messages on lease together. Nothing is leased
// beyond that, and other accounts are not affected.
func testBounded(t *testing.T, f *fixture) {
	f.reopen(t, Bounds{Leased: 10})
	ten := slices.Repeat([]kv.Message{text("a")}, 10)
	for _, q := range []kv.Queue{queue, another, foreign} {
		f.mustSend(t, q, ten...)
	}
	first := f.mustBounded(t, queue, 6, 6)
	f.mustBounded(t, another, 10, 4) // no more than there is room for
	for _, q := range []kv.Queue{queue, another} {
		f.wantRefused(t, q)
	}
	if s := f.mustStats(t, another); s.Messages != 10 || s.Leased != 4 {
		t.Errorf("got %+v, want that nothing was leased beyond the bound", s)
	}
	f.mustBounded(t, foreign, 10, 10)
	f.mustReceive(t, queue, 2, long) // those that are not Bounded go on
	f.wantRefused(t, queue)

	f.mustAck(t, queue, first[:3])
	f.mustSettle(t, queue, kv.Settlement{Lease: first[3].Lease, Retry: true})
	f.mustBounded(t, another, 10, 2)
	f.wantRefused(t, another)
	for _, do := range []struct {
		end func() error
		q   kv.Queue
	}{
		{func() error { return f.Purge(t.Context(), another) }, another},
		{func() error { return f.Delete(t.Context(), queue) }, queue},
	} {
		if err := do.end(); err != nil {
			t.Fatal(err)
		}
		f.mustSend(t, do.q, ten...)
		f.mustBounded(t, do.q, 4, 4)
	}
}

// Of several that receive at the same time, none gets what would be too much.
func testBoundedHammer(t *testing.T, f *fixture) {
	const most = 20
	f.reopen(t, Bounds{Leased: most})
	queues := []kv.Queue{queue, another, {Account: queue.Account, ID: "third"}}
	for _, q := range queues {
		f.mustSend(t, q, slices.Repeat([]kv.Message{text("a")}, 40)...)
	}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			for range 10 {
				_, err := f.Receive(t.Context(), queues[i%3], kv.ReceiveOptions{Max: 3, Lease: long, Bounded: true})
				if _, limited := errors.AsType[*kv.LimitError](err); err != nil && !limited {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	leased := int64(0)
	for _, q := range queues {
		leased += f.mustStats(t, q).Leased
	}
	if leased > most || leased == 0 {
		t.Errorf("%d messages are on lease, want %d at most", leased, most)
	}
}

// A queue that was deleted while somebody sent to it has no messages of before: the last
// Delete removes what there is.
func testDeleteWhileSending(t *testing.T, f *fixture) {
	var sending sync.WaitGroup
	for range 4 {
		sending.Go(func() {
			for range 10 {
				if _, err := f.Send(t.Context(), queue, []kv.Message{text("a")}, kv.SendOptions{}); err != nil && !errors.Is(err, kv.ErrNoQueue) && !errors.Is(err, kv.ErrUnavailable) {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		if err := f.Delete(t.Context(), queue); err != nil {
			t.Error(err)
		}
	}
	sending.Wait()
	if err := f.Delete(t.Context(), queue); err != nil {
		t.Error(err)
	}
	if s := f.mustStats(t, queue); s != (kv.QueueStats{}) {
		t.Errorf("after Delete there is %+v", s)
	}
	f.reopen(t, Bounds{})
	if s := f.mustStats(t, queue); s != (kv.QueueStats{}) {
		t.Errorf("after Delete, and opened anew, there is %+v", s)
	}
}

func testList(t *testing.T, f *fixture) {
	dashed := kv.Queue{Account: "local-1", ID: "a_b-c"}
	for _, q := range []kv.Queue{queue, another, foreign, dashed} {
		f.mustSend(t, q, text("a"))
	}
	want := func(when string, want ...kv.Queue) {
		t.Helper()
		list, err := f.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []kv.Queue{queue, another, foreign, dashed} {
			if got := slices.Contains(list, q); got != slices.Contains(want, q) {
				t.Errorf("%s: queue %v is listed: %t", when, q, got)
			}
		}
	}
	want("all", queue, another, foreign, dashed)
	for _, q := range []kv.Queue{another, dashed} {
		if err := f.Delete(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	want("after two were deleted", queue, foreign)
	f.reopen(t, Bounds{})
	want("opened anew", queue, foreign)
}
