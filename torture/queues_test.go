package torture_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
)

// sink notes each message that it takes. Now and then one fails, at the first attempt.
const sink = `
export default {
  async queue(batch, env) {
    await Promise.all(batch.messages.map(async (message) => {
      if (message.body % 7 === 0 && message.attempts === 1) {
        message.retry();
        return;
      }
      await env.STORE.put("seen-" + message.body, String(message.attempts));
      message.ack();
    }));
  },
};`

// queued is a node that is killed while messages are on their way: some to a Function,
// others to a program that pulls them. What clients were told is in the ledgers.
type queued struct {
	*server
	data            string
	consumed, drawn api.Queue
	namespace       string

	mu     sync.Mutex
	next   int
	sent   map[int]bool // to the Function, and acknowledged
	pushed map[int]bool // to be pulled
	pulled map[int]bool // at least once
	acked  map[int]bool // by who pulled it
	back   []int        // that were pulled after that
}

const fewestSent = 10 // messages that are acknowledged in a round, on average

// TestTortureQueues kills a node in the middle of batches. Each message whose sending
// was acknowledged has to be consumed, and none comes back that a consumer has
// acknowledged.
func TestTortureQueues(t *testing.T) {
	rounds := 3
	if long() {
		rounds = 100
	}
	q := &queued{data: filepath.Join(t.TempDir(), "data"), sent: map[int]bool{}, pushed: map[int]bool{}, pulled: map[int]bool{}, acked: map[int]bool{}}
	q.server = mustServe(t, q.data, "")
	q.setUp(t)
	for round := range rounds {
		q.round(t, round+1)
	}
	lost := q.settle(t)
	printTable(t, "rounds\tsent to a Function\tpulled and acknowledged\tlost\tcame back", []string{
		fmt.Sprintf("%d\t%d\t%d\t%d\t%d", rounds, len(q.sent), len(q.acked), len(lost), len(q.back))})
	if len(lost) > 0 || len(q.back) > 0 {
		t.Errorf("lost: %v; came back: %v", lost, q.back)
	}
	if len(q.sent) < fewestSent*rounds || len(q.acked) < rounds {
		t.Errorf("%d and %d messages in %d rounds are too few to tell", len(q.sent), len(q.acked), rounds)
	}
}

func (q *queued) setUp(t *testing.T) {
	t.Helper()
	ctx, c := t.Context(), q.mustClient(t, "local")
	ns, err := c.CreateNamespace(ctx, "seen")
	if err != nil {
		t.Fatal(err)
	}
	q.namespace = ns.ID
	metadata := api.Metadata{MainModule: "index.js", Bindings: []api.Binding{{Type: "kv_namespace", Name: "STORE", NamespaceID: ns.ID}}}
	if _, err := c.Upload(ctx, "sink", []byte(sink), metadata, nil); err != nil {
		t.Fatal(err)
	}
	one, size := int64(1), int64(20)
	q.consumed = mustQueue(t, c, "consumed", api.Consumer{Type: "worker", Script: "sink", Settings: api.ConsumerSettings{BatchSize: &size, MaxWaitMillis: new(int64), MaxRetries: new(int64(100)), RetryDelay: &one}})
	q.drawn = mustQueue(t, c, "drawn", api.Consumer{Type: "http_pull", Settings: api.ConsumerSettings{MaxRetries: new(int64(100))}})
}

func mustQueue(t *testing.T, c *api.Client, name string, consumer api.Consumer) api.Queue {
	t.Helper()
	q, err := c.CreateQueue(t.Context(), name, api.QueueSettings{})
	if err == nil {
		_, err = c.AddConsumer(t.Context(), q.ID, consumer)
	}
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// round sends and pulls until the node is killed, and starts it again. It is the nth.
func (q *queued) round(t *testing.T, n int) {
	t.Helper()
	var over atomic.Bool
	var clients sync.WaitGroup
	c := q.mustClient(t, "local")
	clients.Go(func() { q.sendUntil(t, c, &over, q.consumed.ID, q.sent) })
	clients.Go(func() { q.sendUntil(t, c, &over, q.drawn.ID, q.pushed) })
	clients.Go(func() {
		for !over.Load() {
			q.pull(t.Context(), c)
		}
	})
	time.Sleep(time.Duration(200+rand.IntN(1000)) * time.Millisecond)
	// A busy machine has done little by now.
	eventually(t, "enough is acknowledged to tell", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.sent) >= fewestSent*n && len(q.acked) >= n
	})
	q.kill()
	over.Store(true)
	clients.Wait()
	q.server = mustServe(t, q.data, "")
}

func (q *queued) sendUntil(t *testing.T, c *api.Client, over *atomic.Bool, queue string, ledger map[int]bool) {
	for ; !over.Load(); time.Sleep(20 * time.Millisecond) { // the rest has to keep up
		q.mu.Lock()
		first := q.next
		q.next += 10
		q.mu.Unlock()
		var list []api.QueueMessage
		for i := range 10 {
			list = append(list, api.QueueMessage{Body: first + i, ContentType: "json"})
		}
		if _, err := c.SendMessages(t.Context(), queue, list); err != nil {
			continue // whether it was stored is not known
		}
		q.mu.Lock()
		for i := range 10 {
			ledger[first+i] = true
		}
		q.mu.Unlock()
	}
}

// pull takes some messages, and acknowledges most of them.
func (q *queued) pull(ctx context.Context, c *api.Client) (n int) {
	list, err := c.PullMessages(ctx, q.drawn.ID, 20, 3_600_000)
	if err != nil {
		return 0
	}
	var leases []string
	var numbers []int
	for _, m := range list {
		body, err := m.Text()
		var number int
		if err != nil || json.Unmarshal(body, &number) != nil {
			continue
		}
		leases, numbers = append(leases, m.LeaseID), append(numbers, number)
		q.mu.Lock()
		q.pulled[number] = true
		if q.acked[number] {
			q.back = append(q.back, number)
		}
		q.mu.Unlock()
	}
	if len(leases) == 0 {
		return 0
	}
	if acked, err := c.AckMessages(ctx, q.drawn.ID, leases); err != nil || acked != len(leases) {
		return len(list)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, number := range numbers {
		q.acked[number] = true
	}
	return len(list)
}

// settle waits until both queues are empty, and returns what was lost.
func (q *queued) settle(t *testing.T) (lost []int) {
	t.Helper()
	c := q.mustClient(t, "local")
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		q.pull(t.Context(), c)
		a, err := c.QueueMetrics(t.Context(), q.consumed.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.QueueMetrics(t.Context(), q.drawn.ID)
		if err != nil {
			t.Fatal(err)
		}
		if a.Count == 0 && b.Count == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d messages still wait", a.Count, b.Count)
		}
	}
	seen := map[string]bool{}
	for key, err := range c.Keys(t.Context(), q.namespace, "seen-") {
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.TrimPrefix(key.Name, "seen-")] = true
	}
	for n := range q.sent {
		if !seen[fmt.Sprint(n)] {
			lost = append(lost, n)
		}
	}
	for n := range q.pushed {
		if !q.pulled[n] {
			lost = append(lost, n)
		}
	}
	return lost
}
