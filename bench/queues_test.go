package bench_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// noting is a Worker that notes each message in KV, or does nothing with those that
// have no number.
const noting = `export default { async queue(batch, env) {
  for (const { body } of batch.messages) if (body.number !== undefined) await env.STORE.put("at-" + body.number, "");
} };`

// line is a queue with a Worker that consumes it.
type line struct {
	*aNode
	queue deploy.Queue
	seen  kv.Store
}

// queueStores are where a node may keep its queues: in its own store, or in NATS, of
// which it has the only server.
var queueStores = map[string]func(*node.Config){
	"badger": func(*node.Config) {},
	"nats":   func(cfg *node.Config) { cfg.Cluster = &node.Cluster{Embedded: true} },
}

func mustLine(t testing.TB, store string) *line {
	t.Helper()
	t.Setenv("MAYFLY_CLUSTER_SECRET", secret.NewKey().Encode())
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	l := &line{aNode: mustNode(t, filepath.Join(t.TempDir(), "data"), queueStores[store])}
	t.Cleanup(func() { l.close(t) })
	ctx, r := t.Context(), l.Registry()
	ns, err := r.CreateNamespace(ctx, deploy.Local, "seen")
	if err != nil {
		t.Fatal(err)
	}
	if l.seen, err = r.Entries(deploy.Local, ns.ID); err != nil {
		t.Fatal(err)
	}
	settings := deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "STORE", ID: ns.ID}}}
	if _, err := r.Deploy(ctx, deploy.Local, "noting", deploy.Upload{Module: mustWorker(t, noting), Settings: settings}); err != nil {
		t.Fatal(err)
	}
	if l.queue, err = r.CreateQueue(ctx, deploy.Local, "jobs", deploy.QueueSettings{}); err != nil {
		t.Fatal(err)
	}
	consumer := deploy.QueueConsumer{Type: deploy.ConsumerWorker, Function: "noting", Settings: deploy.ConsumerSettings{BatchSize: new(int64(100)), BatchTimeout: new(int64)}}
	if l.queue, err = r.AddConsumer(ctx, deploy.Local, l.queue.ID, consumer); err != nil {
		t.Fatal(err)
	}
	l.once(t, -1) // the reader is there, and the engine is compiled
	return l
}

func (l *line) mustSend(t testing.TB, bodies ...string) {
	t.Helper()
	var list []host.QueueSend
	for _, body := range bodies {
		list = append(list, host.QueueSend{ContentType: kv.ContentJSON, Body: []byte(body), Delay: host.NoDelay})
	}
	if _, err := l.Registry().Send(t.Context(), l.queue, list); err != nil {
		t.Fatal(err)
	}
}

// once sends a message, and returns how long it takes until the Worker has noted it.
func (l *line) once(t testing.TB, number int) time.Duration {
	t.Helper()
	w, err := l.seen.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	began := time.Now()
	l.mustSend(t, fmt.Sprintf(`{"number":%d}`, number))
	for {
		ev, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Entry.Key == fmt.Sprint("at-", number) {
			return time.Since(began)
		}
	}
}

// drain waits until nothing is left.
func (l *line) drain(t testing.TB) {
	t.Helper()
	for {
		backlog, err := l.Registry().Backlog(t.Context(), l.queue)
		if err != nil {
			t.Fatal(err)
		}
		if backlog.Messages == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkQueues has messages of 100 bytes go to a Worker: how many a second are sent in
// batches of 100, and how many are consumed; and how long it takes from the sending of
// one to the Worker's write in KV, all of it synced.
func BenchmarkQueues(b *testing.B) {
	for _, store := range []string{"badger", "nats"} {
		b.Run("store="+store, func(b *testing.B) {
			l := mustLine(b, store)
			b.ResetTimer()
			for b.Loop() {
				l.measure(b, 20_000, 200)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (l *line) measure(b *testing.B, messages, singles int) {
	batch := make([]string, 100)
	for i := range batch {
		batch[i] = fmt.Sprintf(`{"pad":%q}`, strings.Repeat("x", 90))
	}
	if _, err := l.Registry().SetQueue(b.Context(), deploy.Local, l.queue.ID, func(s *deploy.QueueSettings) { s.Paused = true }); err != nil {
		b.Fatal(err)
	}
	time.Sleep(2 * time.Second) // until the reader has noticed
	began := time.Now()
	for range messages / len(batch) {
		l.mustSend(b, batch...)
	}
	b.ReportMetric(float64(messages)/time.Since(began).Seconds(), "sent/s")
	if _, err := l.Registry().SetQueue(b.Context(), deploy.Local, l.queue.ID, func(s *deploy.QueueSettings) { s.Paused = false }); err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	l.drain(b)
	b.ReportMetric(float64(messages)/time.Since(began).Seconds(), "consumed/s")
	var took []time.Duration
	for i := range singles {
		took = append(took, l.once(b, i))
	}
	report(b, "single", took)
}

// TestQueues is BenchmarkQueues with few.
func TestQueues(t *testing.T) {
	for store := range queueStores {
		t.Run(store, func(t *testing.T) {
			l := mustLine(t, store)
			l.mustSend(t, "{}", "{}")
			l.drain(t)
			l.once(t, 1)
		})
	}
}
