// Package queuetest is the conformance kit of kv.Queues. An implementation's test
// calls Run with a function that makes an empty store, and Bench from its benchmark.
package queuetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Bounds are how many bytes may wait in a queue and in an account, and how many messages
// an account may have on lease where a Receive is Bounded; 0 is the implementation's own.
type Bounds struct{ Queue, Account, Leased int64 }

// Open opens Queues on one store, again and again after they were closed. The kit
// closes them.
type Open func(t testing.TB, b Bounds) kv.Queues

// Run tests one implementation. Each rule is a subtest on a store of its own, which
// fresh makes empty.
func Run(t *testing.T, fresh func(t testing.TB) Open) {
	for _, rule := range []struct {
		name string
		test func(t *testing.T, f *fixture)
	}{
		{"SendReceiveAck", testSendReceiveAck},
		{"Bodies", testBodies},
		{"Limits", testLimits},
		{"Order", testOrder},
		{"Delay", testDelay},
		{"Retry", testRetry},
		{"RetryDelay", testRetryDelay},
		{"Unseen", testUnseen},
		{"LeaseEnds", testLeaseEnds},
		{"Stale", testStale},
		{"Leased", testLeased},
		{"Wait", testWait},
		{"Linger", testLinger},
		{"Context", testContext},
		{"Apart", testApart},
		{"Stats", testStats},
		{"Purge", testPurge},
		{"PurgeWhileSending", testPurgeWhileSending},
		{"Delete", testDelete},
		{"DeleteWhileSending", testDeleteWhileSending},
		{"List", testList},
		{"Full", testFull},
		{"Bounded", testBounded},
		{"BoundedHammer", testBoundedHammer},
		{"Reopen", testReopen},
		{"Close", testClose},
		{"Hammer", testHammer},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			f := &fixture{open: fresh(t)}
			f.reopen(t, Bounds{})
			t.Cleanup(func() {
				if err := f.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			rule.test(t, f)
		})
	}
}

// fixture is what is tested, with shorthands that stop the test on errors.
type fixture struct {
	kv.Queues
	open Open
}

var (
	queue   = kv.Queue{Account: "local", ID: "0123456789abcdef0123456789abcdef"}
	another = kv.Queue{Account: "local", ID: "another"}
	foreign = kv.Queue{Account: "shop", ID: queue.ID}
)

// patience is how long the kit waits for what must happen.
const patience = 2 * time.Minute

// long is a lease that does not end during a test.
const long = time.Hour

func (f *fixture) reopen(t *testing.T, b Bounds) {
	t.Helper()
	if f.Queues != nil {
		if err := f.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	f.Queues = f.open(t, b)
}

func text(s string) kv.Message { return kv.Message{ContentType: kv.ContentText, Body: []byte(s)} }

func (f *fixture) mustSend(t *testing.T, q kv.Queue, list ...kv.Message) []string {
	t.Helper()
	ids, err := f.Send(t.Context(), q, list, kv.SendOptions{})
	if err != nil || len(ids) != len(list) {
		t.Fatalf("Send: %d ids, %v; want %d", len(ids), err, len(list))
	}
	return ids
}

// mustReceive waits for exactly n messages.
func (f *fixture) mustReceive(t *testing.T, q kv.Queue, n int, lease time.Duration) []kv.Delivery {
	t.Helper()
	var all []kv.Delivery
	for deadline := time.Now().Add(patience); len(all) < n; {
		list, err := f.Receive(t.Context(), q, kv.ReceiveOptions{Max: min(n-len(all), kv.MaxBatch), Lease: lease, Wait: time.Until(deadline)})
		if err != nil {
			t.Fatalf("Receive: %v", err)
		}
		if len(list) == 0 {
			t.Fatalf("received %d messages, want %d", len(all), n)
		}
		all = append(all, list...)
	}
	return all
}

// wantNone checks that nothing is to be received for a moment.
func (f *fixture) wantNone(t *testing.T, q kv.Queue, wait time.Duration) {
	t.Helper()
	list, err := f.Receive(t.Context(), q, kv.ReceiveOptions{Max: kv.MaxBatch, Lease: long, Wait: wait})
	if err != nil || len(list) > 0 {
		t.Fatalf("received %d messages, %v; want none: %v", len(list), err, list)
	}
}

func (f *fixture) mustSettle(t *testing.T, q kv.Queue, list ...kv.Settlement) {
	t.Helper()
	if stale, err := f.Settle(t.Context(), q, list); err != nil || len(stale) > 0 {
		t.Fatalf("Settle: %v stale, %v", stale, err)
	}
}

func (f *fixture) mustAck(t *testing.T, q kv.Queue, list []kv.Delivery) {
	t.Helper()
	f.mustSettle(t, q, acks(list)...)
}

func acks(list []kv.Delivery) (all []kv.Settlement) {
	for _, d := range list {
		all = append(all, kv.Settlement{Lease: d.Lease})
	}
	return all
}

func (f *fixture) mustStats(t *testing.T, q kv.Queue) kv.QueueStats {
	t.Helper()
	s, err := f.Stats(t.Context(), q)
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	return s
}

// bodies are those of deliveries, as texts.
func bodies(list []kv.Delivery) map[string]int {
	all := map[string]int{}
	for _, d := range list {
		all[string(d.Body)]++
	}
	return all
}

// Bench measures Send and Receive with Settle, in batches of 100 messages of 100 bytes.
func Bench(b *testing.B, open func(b *testing.B) kv.Queues) {
	message := kv.Message{ContentType: kv.ContentBytes, Body: make([]byte, 100)}
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			q := open(b)
			defer q.Close()
			batch := make([]kv.Message, size)
			for i := range batch {
				batch[i] = message
			}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					cycle(b, q, batch)
				}
			})
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func cycle(b *testing.B, q kv.Queues, batch []kv.Message) {
	ctx := context.Background()
	if _, err := q.Send(ctx, queue, batch, kv.SendOptions{}); err != nil {
		b.Error(err)
	}
	list, err := q.Receive(ctx, queue, kv.ReceiveOptions{Max: len(batch), Lease: long})
	if err != nil {
		b.Error(err)
	}
	if stale, err := q.Settle(ctx, queue, acks(list)); err != nil || len(stale) > 0 {
		b.Error(stale, err)
	}
}
