package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

func testReopen(t *testing.T, f *fixture) {
	later := text("later")
	later.Delay = time.Second
	f.mustSend(t, queue, text("acked"))
	f.mustAck(t, queue, f.mustReceive(t, queue, 1, long))
	f.mustSend(t, queue, later, text("leased"), text("waits"))
	before := f.mustReceive(t, queue, 1, 2*time.Second)[0]
	f.reopen(t, Bounds{})
	if s := f.mustStats(t, queue); s.Messages != 3 || s.Bytes < 16 {
		t.Errorf("got %+v, want 3 messages of 16 bytes", s)
	}
	list := f.mustReceive(t, queue, 3, long)
	for _, d := range list {
		if d.ID == before.ID && d.Attempts != 2 {
			t.Errorf("what was on lease comes with %d attempts, want 2", d.Attempts)
		}
	}
	if got := bodies(list); len(got) != 3 || got["acked"] > 0 {
		t.Errorf("got %v", got)
	}
	if stale, err := f.Settle(t.Context(), queue, []kv.Settlement{{Lease: before.Lease}}); err != nil || len(stale) != 1 {
		t.Errorf("Settle with a lease that is over: %v, %v", stale, err)
	}
	f.mustAck(t, queue, list)
	f.wantNone(t, queue, 0)
}

func testClose(t *testing.T, f *fixture) {
	q := f.Queues
	waiting := make(chan error, 1)
	go func() {
		_, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 1, Lease: long, Wait: patience})
		waiting <- err
	}()
	f.reopen(t, Bounds{})
	if err := <-waiting; !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Receive: %v, want ErrClosed", err)
	}
	if err := q.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	if _, err := q.Send(t.Context(), queue, []kv.Message{text("a")}, kv.SendOptions{}); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Send: %v, want ErrClosed", err)
	}
	if _, err := q.Stats(t.Context(), queue); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Stats: %v, want ErrClosed", err)
	}
}

// hammer is what producers and consumers have done at the same time.
type hammer struct {
	*fixture
	mu    sync.Mutex
	acked map[string]int // by body
	seen  map[string]int // attempts
	done  context.CancelFunc
	want  int
}

// Each message is acknowledged once, however many consumers there are, and however
// often some are retried.
func testHammer(t *testing.T, f *fixture) {
	const producers, batches, size, consumers = 4, 10, 20, 6
	ctx, done := context.WithTimeout(t.Context(), 5*time.Minute)
	defer done()
	h := &hammer{fixture: f, acked: map[string]int{}, seen: map[string]int{}, done: done, want: producers * batches * size}
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			for b := range batches {
				var list []kv.Message
				for i := range size {
					list = append(list, text(fmt.Sprint(p, b, i)))
				}
				f.mustSend(t, queue, list...)
			}
		})
	}
	for range consumers {
		all.Go(func() { h.consume(ctx, t) })
	}
	all.Wait()
	for body, n := range h.acked {
		if n != 1 {
			t.Errorf("%q was acknowledged %d times", body, n)
		}
	}
	if len(h.acked) != h.want {
		t.Errorf("%d messages were acknowledged, want %d", len(h.acked), h.want)
	}
	if s := f.mustStats(t, queue); s != (kv.QueueStats{}) {
		t.Errorf("in the end there is %+v", s)
	}
}

func (h *hammer) consume(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		list, err := h.Receive(ctx, queue, kv.ReceiveOptions{Max: 17, Lease: long, Wait: time.Second})
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		if stale, err := h.Settle(context.WithoutCancel(ctx), queue, h.judge(t, list)); err != nil || len(stale) > 0 {
			t.Errorf("%v stale, %v", stale, err)
			return
		}
	}
}

// judge has each third message come again once.
func (h *hammer) judge(t *testing.T, list []kv.Delivery) (all []kv.Settlement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, d := range list {
		body := string(d.Body)
		if h.seen[body]++; h.seen[body] != d.Attempts {
			t.Errorf("%q comes for the %d. time, and says %d", body, h.seen[body], d.Attempts)
		}
		if i%3 == 0 && d.Attempts == 1 {
			all = append(all, kv.Settlement{Lease: d.Lease, Retry: true})
			continue
		}
		h.acked[body]++
		all = append(all, kv.Settlement{Lease: d.Lease})
	}
	if len(h.acked) == h.want {
		h.done()
	}
	return all
}
