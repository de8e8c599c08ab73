package storequeue_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

var queue = kv.Queue{Account: "local", ID: "q"}

// Leases end while they are settled, messages are delayed and purged meanwhile, and more
// of them wait than memory has: nothing is counted twice or forgotten.
func TestChurn(t *testing.T) {
	store := memkv.New(memkv.Config{})
	q := mustOpen(t, storequeue.Config{Store: store})
	end := time.Now().Add(4 * time.Second)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for time.Now().Before(end) {
				send(t, q)
			}
		})
		all.Go(func() {
			for time.Now().Before(end) {
				consume(t, q)
			}
		})
	}
	all.Go(func() {
		for time.Now().Before(end) {
			time.Sleep(time.Second)
			if err := q.Purge(t.Context(), queue); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	stats, err := q.Stats(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = mustOpen(t, storequeue.Config{Store: store})
	if again, err := q.Stats(t.Context(), queue); err != nil || again.Messages != stats.Messages || again.Bytes != stats.Bytes {
		t.Errorf("there were %+v, and after a restart %+v, %v", stats, again, err)
	}
	if err := q.Purge(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	if stats, err := q.Stats(t.Context(), queue); err != nil || stats != (kv.QueueStats{}) {
		t.Errorf("after a purge there is %+v, %v", stats, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if page, err := store.List(t.Context(), kv.ListOptions{}); err != nil || len(page.Entries) > 0 {
		t.Errorf("%d entries stay in the store, %v", len(page.Entries), err)
	}
}

func send(t *testing.T, q kv.Queues) {
	var list []kv.Message
	for range 1 + rand.IntN(100) {
		list = append(list, kv.Message{ContentType: kv.ContentText, Body: make([]byte, rand.IntN(50)), Delay: time.Duration(rand.IntN(2)*rand.IntN(2000)) * time.Millisecond})
	}
	if _, err := q.Send(t.Context(), queue, list, kv.SendOptions{}); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Millisecond)
}

func consume(t *testing.T, q kv.Queues) {
	list, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 100, Lease: time.Second, Wait: 100 * time.Millisecond})
	if err != nil {
		t.Error(err)
	}
	if rand.IntN(20) == 0 {
		time.Sleep(time.Second) // until about the end of the lease
	}
	var settled []kv.Settlement
	for _, d := range list {
		switch rand.IntN(6) {
		case 0:
			settled = append(settled, kv.Settlement{Lease: d.Lease, Retry: true})
		case 1:
			settled = append(settled, kv.Settlement{Lease: d.Lease, Retry: true, Delay: time.Duration(rand.IntN(1000)) * time.Millisecond})
		case 2:
			settled = append(settled, kv.Settlement{Lease: d.Lease, Retry: true, Unseen: true})
		case 3: // forgotten
		default:
			settled = append(settled, kv.Settlement{Lease: d.Lease})
		}
	}
	if _, err := q.Settle(t.Context(), queue, settled); err != nil {
		t.Error(err)
	}
}
