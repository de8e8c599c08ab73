package storequeue_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

// Many queues of an account keep no more in memory than one may, and lose nothing:
// messages that were left to the store are received as well.
func TestKeptOfAccount(t *testing.T) {
	const queues, each, most = 30, 40, 300
	q := mustOpen(t, storequeue.WithKept(storequeue.Config{Store: memkv.New(memkv.Config{})}, most))
	defer q.Close()
	wantKept := func(when string) {
		t.Helper()
		if got := q.Kept(queue.Account); got > most {
			t.Fatalf("%d messages are in memory %s, want %d at most", got, when, most)
		}
	}
	for i := range queues {
		name := kv.Queue{Account: queue.Account, ID: fmt.Sprint(i)}
		if _, err := q.Stats(t.Context(), name); err != nil { // it knows all that it has from now on
			t.Fatal(err)
		}
		for range each / 10 {
			if _, err := q.Send(t.Context(), name, make10(), kv.SendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		wantKept("after sending")
	}
	seen := map[string]bool{}
	for range each / 10 {
		for i := range queues {
			name := kv.Queue{Account: queue.Account, ID: fmt.Sprint(i)}
			list, err := q.Receive(t.Context(), name, kv.ReceiveOptions{Max: 10, Lease: kv.MaxLease})
			if err != nil || len(list) != 10 {
				t.Fatalf("queue %d gave %d messages, %v; want 10", i, len(list), err)
			}
			for _, d := range list {
				seen[d.ID] = true
			}
			wantKept("after receiving")
		}
	}
	if len(seen) != queues*each {
		t.Errorf("%d messages were received, want %d", len(seen), queues*each)
	}
}

// Queues that drop the windows of one another while they are used lose nothing, and give
// nothing twice.
func TestKeptHammer(t *testing.T) {
	const queues, each = 6, 300
	q := mustOpen(t, storequeue.WithKept(storequeue.Config{Store: memkv.New(memkv.Config{})}, 20))
	defer q.Close()
	var all sync.WaitGroup
	for i := range queues {
		name := kv.Queue{Account: queue.Account, ID: fmt.Sprint(i)}
		all.Go(func() {
			for range each / 10 {
				if _, err := q.Send(t.Context(), name, make10(), kv.SendOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for got := 0; got < each; {
				list, err := q.Receive(t.Context(), name, kv.ReceiveOptions{Max: 7, Lease: kv.MaxLease, Wait: time.Minute})
				if err != nil || len(list) == 0 {
					t.Errorf("queue %s gave %d of %d messages, %v", name.ID, got, each, err)
					return
				}
				got += len(list)
				var acks []kv.Settlement
				for _, d := range list {
					acks = append(acks, kv.Settlement{Lease: d.Lease})
				}
				if stale, err := q.Settle(t.Context(), name, acks); err != nil || len(stale) > 0 {
					t.Errorf("queue %s: %d stale, %v", name.ID, len(stale), err)
				}
			}
			if s, err := q.Stats(t.Context(), name); err != nil || s != (kv.QueueStats{}) {
				t.Errorf("in the end queue %s has %+v, %v", name.ID, s, err)
			}
		})
	}
	all.Wait()
}

func make10() []kv.Message {
	list := make([]kv.Message, 10)
	for i := range list {
		list[i] = kv.Message{ContentType: kv.ContentText, Body: []byte("a")}
	}
	return list
}
