package natsqueue_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/natsqueue"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

func mustCopyOut(t *testing.T, q *natsqueue.Queues) (list []kv.StoredMessage) {
	t.Helper()
	err := q.CopyOut(t.Context(), queue, func(m kv.StoredMessage) error {
		list = append(list, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// mustWrite makes the entries that a node's store has of messages.
func mustWrite(t *testing.T, list []kv.StoredMessage) (entries []kv.Entry) {
	t.Helper()
	w := storequeue.NewWriter("queues/", queue, func(e kv.Entry) error {
		entries = append(entries, e)
		return nil
	})
	for _, m := range list {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.IsSortedFunc(entries, func(a, b kv.Entry) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	}) {
		t.Error("the entries are not in the order of their keys")
	}
	return entries
}

// mustFill sends what is due, what was given back, on lease, and delayed.
func mustFill(t *testing.T, q kv.Queues) {
	t.Helper()
	var delayed []kv.Message
	for i := range 5 {
		delayed = append(delayed, kv.Message{ContentType: kv.ContentJSON, Body: fmt.Append(nil, i), Delay: time.Hour + time.Duration(5-i)*time.Minute})
	}
	mustSend(t, q, delayed...)
	mustSend(t, q, texts(20)...)
	for _, d := range mustReceive(t, q, 4) {
		if _, err := q.Settle(t.Context(), queue, []kv.Settlement{{Lease: d.Lease, Retry: true}}); err != nil {
			t.Fatal(err)
		}
	}
	mustReceive(t, q, 3) // and keep them on lease
}

// What waits in a cluster's queue goes into a node's store, and from there into another
// cluster, with all that is known of it.
func TestCopy(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	open := func(bucket string) *natsqueue.Queues {
		q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, s), Bucket: bucket, QueueBytes: 20_000})
		t.Cleanup(func() { q.Close() })
		return q
	}
	from, to := open("from"), open("to")
	if list := mustCopyOut(t, from); len(list) > 0 {
		t.Errorf("a queue that is not there has %v", list)
	}
	mustFill(t, from)
	want := mustCopyOut(t, from)
	if len(want) != 25 || !want[20].Due.After(time.Now().Add(time.Hour)) || want[16].Attempts != 1 || want[0].Attempts != 0 {
		t.Errorf("got %d messages: %+v", len(want), want)
	}
	store := memkv.New(memkv.Config{})
	defer store.Close()
	for _, e := range mustWrite(t, want) {
		if _, err := store.Put(t.Context(), e.Key, e.Value, kv.PutOptions{Metadata: e.Metadata}); err != nil {
			t.Fatal(err)
		}
	}
	node, err := storequeue.Open(t.Context(), storequeue.Config{Store: store, Prefix: "queues/"})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if stats, err := node.Stats(t.Context(), queue); err != nil || stats.Messages != 25 {
		t.Errorf("the node has %+v, %v", stats, err)
	}
	onLease := mustReceive(t, node, 2)
	if onLease[0].ID != want[0].ID || onLease[1].ID != want[1].ID {
		t.Errorf("first come %s and %s; want those that were sent first", onLease[0].Body, onLease[1].Body)
	}

	reader := storequeue.NewReader("queues/")
	var read []kv.StoredMessage
	view, err := store.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	err = view.Entries(t.Context(), func(e kv.Entry) error {
		q, m, ok, err := reader.Read(e)
		if ok && q == queue {
			read = append(read, m)
		}
		return err
	})
	if err != nil || len(read) != 25 || read[0].Attempts != 1 {
		t.Fatalf("read %d messages, %v, the first one with %d attempts; want 25, that was delivered once", len(read), err, read[0].Attempts)
	}
	read = append(read, kv.StoredMessage{ID: fmt.Sprintf("%032x", 1), Sent: time.Now().Add(-time.Hour), Expires: time.Now().Add(-time.Minute), ContentType: kv.ContentText})
	if err := to.CopyIn(t.Context(), queue, read); err != nil {
		t.Fatal(err)
	}
	got := mustCopyOut(t, to)
	if len(got) != 25 {
		t.Fatalf("got %d messages, want all 25 that have not expired", len(got))
	}
	for _, m := range want {
		i := slices.IndexFunc(got, func(g kv.StoredMessage) bool { return g.ID == m.ID })
		if i < 0 {
			t.Errorf("message %s is missing", m.Body)
			continue
		}
		g := got[i]
		if g.ID == onLease[0].ID || g.ID == onLease[1].ID {
			m.Attempts++
		}
		if !g.Sent.Equal(m.Sent) || !g.Expires.Equal(m.Expires) || g.Attempts != m.Attempts || g.ContentType != m.ContentType || string(g.Body) != string(m.Body) ||
			g.Due.Sub(m.Due).Abs() > time.Minute || g.Due.IsZero() != m.Due.IsZero() {
			t.Errorf("got %+v, want %+v", g, m)
		}
	}
	for _, d := range mustReceive(t, to, 20) {
		if d.Attempts < 1 {
			t.Errorf("message %s comes with %d attempts", d.Body, d.Attempts)
		}
	}
}

// What is given back again and again, and becomes due, while a copy is made is in it.
func TestCopyWhileMoving(t *testing.T) {
	t.Parallel()
	q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, mustServer(t, t.TempDir()))})
	defer q.Close()
	for i := range 30 {
		mustSend(t, q, kv.Message{ContentType: kv.ContentText, Body: fmt.Append(nil, i), Delay: time.Duration(i%3) * time.Second})
	}
	stop := make(chan struct{})
	var moving sync.WaitGroup
	moving.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			list, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 5, Lease: time.Hour, Wait: 100 * time.Millisecond})
			var all []kv.Settlement
			for i, d := range list {
				all = append(all, kv.Settlement{Lease: d.Lease, Retry: true, Unseen: true, Delay: time.Duration(i%2) * 100 * time.Millisecond})
			}
			if _, settleErr := q.Settle(t.Context(), queue, all); errors.Join(err, settleErr) != nil {
				t.Error(err, settleErr)
				return
			}
		}
	})
	for range 5 {
		seen := map[string]bool{}
		for _, m := range mustCopyOut(t, q) {
			seen[m.ID] = true
		}
		if len(seen) != 30 {
			t.Errorf("%d of 30 messages are in the copy", len(seen))
		}
	}
	close(stop)
	moving.Wait()
}
