package queuetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

func testWait(t *testing.T, f *fixture) {
	began := time.Now()
	f.wantNone(t, queue, time.Second)
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("Receive waited %v, want a second", waited)
	}
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			if list, err := f.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 1, Lease: long, Wait: patience}); err != nil || len(list) != 1 {
				t.Errorf("got %d messages, %v", len(list), err)
			}
		})
	}
	for range 5 {
		f.mustSend(t, queue, text("a"))
	}
	wait.Wait()
}

func testLinger(t *testing.T, f *fixture) {
	f.mustSend(t, queue, text("a"))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 4 {
			if _, err := f.Send(t.Context(), queue, []kv.Message{text("a")}, kv.SendOptions{}); err != nil {
				t.Error(err)
			}
		}
	}()
	began := time.Now()
	list, err := f.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 5, Lease: long, Wait: patience, Linger: patience})
	if err != nil || len(list) != 5 {
		t.Errorf("got %d messages, %v; want all that came in time", len(list), err)
	}
	if waited := time.Since(began); waited > patience-time.Second {
		t.Errorf("waited %v, though the batch was full", waited)
	}
	<-sent
	large := text(string(make([]byte, kv.MaxMessage)))
	f.mustSend(t, another, large, large)
	f.mustSend(t, another, large, large)
	for range 2 { // no batch is longer than one that is sent
		if list, err = f.Receive(t.Context(), another, kv.ReceiveOptions{Max: 5, Lease: long, Wait: patience, Linger: 5 * time.Second}); err != nil || len(list) != 2 {
			t.Errorf("got %d of the longest messages, %v; want two", len(list), err)
		}
	}
	f.mustSend(t, queue, text("b"))
	if list, err = f.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 5, Lease: long, Wait: patience, Linger: time.Second}); err != nil || len(list) != 1 {
		t.Errorf("got %d messages, %v; want what there is", len(list), err)
	}
}

func testContext(t *testing.T, f *fixture) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Send(ended, queue, []kv.Message{text("a")}, kv.SendOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v", err)
	}
	f.mustSend(t, queue, text("b"))
	if _, err := f.Receive(ended, queue, kv.ReceiveOptions{Max: 1, Lease: long}); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive: %v", err)
	}
	d := f.mustReceive(t, queue, 1, long)
	if _, err := f.Settle(ended, queue, acks(d)); !errors.Is(err, context.Canceled) {
		t.Errorf("Settle: %v", err)
	}
	waiting, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := f.Receive(waiting, queue, kv.ReceiveOptions{Max: 1, Lease: long, Wait: patience}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Receive that waits: %v", err)
	}
	f.mustAck(t, queue, d)
}

func testApart(t *testing.T, f *fixture) {
	for _, q := range []kv.Queue{queue, another, foreign} {
		f.mustSend(t, q, text(q.Account+q.ID))
	}
	for _, q := range []kv.Queue{queue, another, foreign} {
		if d := f.mustReceive(t, q, 1, long)[0]; string(d.Body) != q.Account+q.ID {
			t.Errorf("queue %v has %s", q, d.Body)
		}
		f.wantNone(t, q, 0)
	}
}

func testStats(t *testing.T, f *fixture) {
	if s := f.mustStats(t, queue); s != (kv.QueueStats{}) {
		t.Errorf("an empty queue has %+v", s)
	}
	before := time.Now().Add(-time.Second)
	later := text("12345")
	later.Delay = time.Hour
	f.mustSend(t, queue, text("123"), text("1234"), later)
	f.mustReceive(t, queue, 1, long)
	s := f.mustStats(t, queue)
	if s.Messages != 3 || s.Bytes < 12 || s.Leased != 1 || s.Oldest.Before(before) || s.Oldest.After(time.Now().Add(time.Second)) {
		t.Errorf("got %+v", s)
	}
}

func testPurge(t *testing.T, f *fixture) {
	later := text("later")
	later.Delay = time.Second
	f.mustSend(t, queue, text("a"), text("b"), later)
	f.mustSend(t, another, text("c"))
	d := f.mustReceive(t, queue, 1, long)[0]
	if err := f.Purge(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	if s := f.mustStats(t, queue); s.Messages != 0 || s.Bytes != 0 || s.Leased != 0 {
		t.Errorf("after Purge there is %+v", s)
	}
	if _, err := f.Settle(t.Context(), queue, []kv.Settlement{{Lease: d.Lease, Retry: true}}); err != nil {
		t.Errorf("Settle of what was purged: %v", err)
	}
	f.wantNone(t, queue, 2*time.Second)
	f.mustSend(t, queue, text("d"))
	f.mustAck(t, queue, f.mustReceive(t, queue, 1, long))
	f.mustReceive(t, another, 1, long)
}

// What was sent after Purge began and acknowledged stays, or is delivered at least.
func testPurgeWhileSending(t *testing.T, f *fixture) {
	for range 5 {
		f.mustSend(t, queue, text("old"))
	}
	var sending sync.WaitGroup
	for i := range 4 {
		sending.Go(func() {
			for n := range 10 {
				f.mustSend(t, queue, text(fmt.Sprint(i, n)))
			}
		})
	}
	if err := f.Purge(t.Context(), queue); err != nil {
		t.Error(err)
	}
	f.mustSend(t, queue, text("new"))
	sending.Wait()
	s := f.mustStats(t, queue)
	got := bodies(f.mustReceive(t, queue, int(s.Messages), long))
	if got["new"] != 1 || got["old"] != 0 {
		t.Errorf("got %v, want what is new and not what is old", got)
	}
	f.wantNone(t, queue, 0)
}

func testDelete(t *testing.T, f *fixture) {
	f.mustSend(t, queue, text("a"))
	waiting := make(chan error, 1)
	f.mustReceive(t, queue, 1, long)
	go func() {
		_, err := f.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 1, Lease: long, Wait: patience})
		waiting <- err
	}()
	for deleted := false; !deleted; {
		if err := f.Delete(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-waiting: // if it began before Delete
			if !errors.Is(err, kv.ErrNoQueue) {
				t.Errorf("Receive: %v, want ErrNoQueue", err)
			}
			deleted = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	if s := f.mustStats(t, queue); s != (kv.QueueStats{}) {
		t.Errorf("a deleted queue has %+v", s)
	}
	f.mustSend(t, queue, text("b"))
	if d := f.mustReceive(t, queue, 1, long)[0]; string(d.Body) != "b" {
		t.Errorf("the queue that was begun anew has %s", d.Body)
	}
}

func testFull(t *testing.T, f *fixture) {
	f.reopen(t, Bounds{Queue: 20_000, Account: 30_000})
	fillUp := func(q kv.Queue, wantAtMost int) (sent int) {
		t.Helper()
		for range 100 {
			_, err := f.Send(t.Context(), q, []kv.Message{text(string(make([]byte, 1000)))}, kv.SendOptions{})
			if limit, ok := errors.AsType[*kv.LimitError](err); ok && limit.Status == http.StatusTooManyRequests {
				return sent
			}
			if err != nil {
				t.Fatal(err)
			}
			if sent++; sent > wantAtMost {
				t.Fatalf("%d messages were taken", sent)
			}
		}
		return sent
	}
	if n := fillUp(queue, 20); n < 10 {
		t.Errorf("a queue took %d messages", n)
	}
	if n := fillUp(another, 20); n == 0 {
		t.Error("another queue took none")
	}
	if n := fillUp(foreign, 20); n < 10 {
		t.Errorf("the queue of another account took %d messages", n)
	}
	if err := f.Purge(t.Context(), another); err != nil {
		t.Fatal(err)
	}
	f.mustAck(t, queue, f.mustReceive(t, queue, 5, long))
	f.mustSend(t, queue, text(string(make([]byte, 1000))))
}
