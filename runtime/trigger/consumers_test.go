package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// mill is what Consumers are surrounded by: queues, and Functions that the test plays.
type mill struct {
	t       *testing.T
	queues  kv.Queues
	log     *logtest.Buffer
	metrics telemetry.Metrics
	// handle is the Function.
	handle func(ctx context.Context, b *host.QueueBatch) (trigger.Ran, error)

	mu      sync.Mutex // guards what follows
	all     map[string]deploy.Queue
	batches []string // messages with their attempts
	running int
	most    int // that ran at the same time
}

func newMill(t *testing.T, settings deploy.ConsumerSettings, deadLetter string) *mill {
	m := &mill{t: t, log: new(logtest.Buffer), all: map[string]deploy.Queue{}}
	m.open(memkv.New(memkv.Config{}))
	m.all["q"] = deploy.Queue{ID: "q", Account: "local", Name: "jobs", Consumer: &deploy.QueueConsumer{
		Type: deploy.ConsumerWorker, Function: "worker", DeadLetterQueue: deadLetter, Settings: settings}}
	return m
}

func (m *mill) open(s kv.Store) {
	m.t.Helper()
	if m.queues != nil {
		if err := m.queues.Close(); err != nil {
			m.t.Fatal(err)
		}
	}
	q, err := storequeue.Open(m.t.Context(), storequeue.Config{Store: s})
	if err != nil {
		m.t.Fatal(err)
	}
	m.queues = q
}

// Consumed implements ConsumersConfig.Registry.
func (m *mill) Consumed() (list []deploy.Queue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.all {
		list = append(list, q)
	}
	return list
}

// DeadLetter implements ConsumersConfig.Registry.
func (m *mill) DeadLetter(ctx context.Context, account, name string, d kv.Delivery) error {
	if name == "missing" {
		return host.Errorf(host.CodeNotFound, "there is no such queue")
	}
	_, err := m.queues.Send(ctx, kv.Queue{Account: account, ID: name}, []kv.Message{{ContentType: d.ContentType, Body: d.Body}}, kv.SendOptions{})
	return err
}

// Backlog implements ConsumersConfig.Registry.
func (m *mill) Backlog(ctx context.Context, q deploy.Queue) (host.QueueBacklog, error) {
	s, err := m.queues.Stats(ctx, q.Key())
	return host.QueueBacklog{Messages: s.Messages}, err
}

func (m *mill) run(ctx context.Context, _, function string, b *host.QueueBatch) (trigger.Ran, error) {
	var list []string
	for _, msg := range b.Messages {
		list = append(list, fmt.Sprintf("%s.%d", msg.Body, msg.Attempts))
	}
	slices.Sort(list)
	m.mu.Lock()
	m.batches = append(m.batches, function+" "+strings.Join(list, " "))
	m.running++
	m.most = max(m.most, m.running)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.running--
		m.mu.Unlock()
	}()
	if m.handle == nil {
		return trigger.Ran{}, nil
	}
	return m.handle(ctx, b)
}

func (m *mill) start() *trigger.Consumers {
	return trigger.NewConsumers(trigger.ConsumersConfig{Registry: m, Queues: m.queues, Run: m.run, Metrics: &m.metrics,
		Logger: slog.New(slog.NewTextHandler(m.log, nil))})
}

func (m *mill) end(c *trigger.Consumers) {
	c.Shutdown(context.Background())
	if err := m.queues.Close(); err != nil {
		m.t.Error(err)
	}
}

// edit changes the queue.
func (m *mill) edit(do func(q *deploy.Queue)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.all["q"]
	consumer := *q.Consumer
	q.Consumer = &consumer
	do(&q)
	m.all["q"] = q
}

func (m *mill) send(texts ...string) {
	m.t.Helper()
	for _, text := range texts {
		if _, err := m.queues.Send(m.t.Context(), kv.Queue{Account: "local", ID: "q"}, []kv.Message{{ContentType: kv.ContentText, Body: []byte(text)}}, kv.SendOptions{}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// wantMost compares how many batches ran at the same time, and begins to count anew.
func (m *mill) wantMost(want int) {
	m.t.Helper()
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.most != want {
		m.t.Errorf("%d batches ran at the same time, want %d", m.most, want)
	}
	m.most = 0
}

// wantBatches compares the batches so far, and forgets them.
func (m *mill) wantBatches(want ...string) {
	m.t.Helper()
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.batches, want) {
		m.t.Errorf("batches %q, want %q", m.batches, want)
	}
	m.batches = nil
}

// wantWaiting compares how many messages a queue has.
func (m *mill) wantWaiting(queue string, want int64) {
	m.t.Helper()
	synctest.Wait()
	if s, err := m.queues.Stats(m.t.Context(), kv.Queue{Account: "local", ID: queue}); err != nil || s.Messages != want {
		m.t.Errorf("queue %s has %d messages, %v; want %d", queue, s.Messages, err, want)
	}
}

func (m *mill) wantCounts(want map[telemetry.QueueEvent]int64) {
	m.t.Helper()
	for e := range telemetry.QueueGivenBack + 1 {
		if got := m.metrics.Queued(e); got != want[e] {
			m.t.Errorf("event %d was counted %d times, want %d", e, got, want[e])
		}
	}
}

func number(n int64) *int64 { return &n }

var (
	errBroke = errors.New("it broke")
	broken   = trigger.Ran{Outcome: host.OutcomeException, Err: errBroke}
)

// A batch goes off when it is full, or has waited for as long as it may.
func TestConsumersBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchSize: number(3), BatchTimeout: number(7), Concurrency: number(1)}, "")
		m.send("a", "b", "c", "d", "e")
		c := m.start()
		defer m.end(c)
		m.wantBatches("worker a.1 b.1 c.1")
		time.Sleep(6 * time.Second)
		m.wantBatches()
		time.Sleep(2 * time.Second)
		m.wantBatches("worker d.1 e.1")
		time.Sleep(time.Hour)
		m.send("f", "g", "h")
		m.wantBatches("worker f.1 g.1 h.1")
		m.wantWaiting("q", 0)
		m.wantCounts(map[telemetry.QueueEvent]int64{telemetry.QueueDelivered: 8, telemetry.QueueAcked: 8})
	})
}

// What fails is tried again, after a while that grows, and then is a dead letter.
func TestConsumersRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), Concurrency: number(1)}, "dead")
		m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) { return broken, nil }
		m.send("a")
		c := m.start()
		defer m.end(c)
		m.wantBatches("worker a.1", "worker a.2")
		time.Sleep(1100 * time.Millisecond)
		m.wantBatches("worker a.3")
		time.Sleep(1100 * time.Millisecond)
		m.wantBatches()
		time.Sleep(time.Second)
		m.wantBatches("worker a.4")
		time.Sleep(time.Hour)
		m.wantBatches()
		m.wantWaiting("q", 0)
		m.wantWaiting("dead", 1)
		m.wantCounts(map[telemetry.QueueEvent]int64{telemetry.QueueDelivered: 4, telemetry.QueueRetried: 3, telemetry.QueueDead: 1})
	})
}

// Each message has its own end.
func TestConsumersDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), Retries: number(1), RetryDelay: number(5), Concurrency: number(1)}, "")
		m.handle = func(_ context.Context, b *host.QueueBatch) (trigger.Ran, error) {
			for i, msg := range b.Messages {
				switch string(msg.Body) {
				case "ack":
					b.Ack(i)
				case "later":
					b.Retry(i, time.Minute)
				}
			}
			return broken, nil
		}
		m.send("ack", "later", "fails")
		c := m.start()
		defer m.end(c)
		m.wantBatches("worker ack.1 fails.1 later.1")
		m.wantWaiting("q", 2)
		time.Sleep(6 * time.Second)
		m.wantBatches("worker fails.2")
		m.wantWaiting("q", 1)
		time.Sleep(time.Minute)
		m.wantBatches("worker later.2")
		m.wantWaiting("q", 0)
		m.wantCounts(map[telemetry.QueueEvent]int64{telemetry.QueueDelivered: 5, telemetry.QueueAcked: 1, telemetry.QueueRetried: 2, telemetry.QueueDropped: 2})
		if !strings.Contains(m.log.String(), "message dropped") || !strings.Contains(m.log.String(), "account=local queue=jobs") {
			t.Errorf("log: %s", m.log)
		}
	})
}

// A message stays as long as it can't get into the dead letter queue.
func TestConsumersDeadLetterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), Retries: number(0), Concurrency: number(1)}, "missing")
		m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) { return broken, nil }
		m.send("a")
		c := m.start()
		defer m.end(c)
		m.wantBatches("worker a.1")
		time.Sleep(10 * time.Minute)
		m.wantBatches()
		m.wantWaiting("q", 1)
		m.edit(func(q *deploy.Queue) { q.Consumer.DeadLetterQueue = "dead" })
		time.Sleep(2 * time.Minute)
		m.wantWaiting("q", 0)
		m.wantWaiting("dead", 1)
	})
}

// A message that ends the node each time is a dead letter in the end, and is not
// delivered again.
func TestConsumersSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), Retries: number(1), Concurrency: number(1)}, "dead")
		store := memkv.New(memkv.Config{})
		m.open(store)
		m.send("poison")
		for range 2 { // crashes
			if list, err := m.queues.Receive(t.Context(), kv.Queue{Account: "local", ID: "q"}, kv.ReceiveOptions{Max: 1, Lease: time.Hour}); err != nil || len(list) != 1 {
				t.Fatalf("%d messages, %v", len(list), err)
			}
			m.open(store)
		}
		m.send("good")
		c := m.start()
		defer m.end(c)
		m.wantBatches("worker good.1")
		m.wantWaiting("dead", 1)
		m.wantWaiting("q", 0)
	})
}

// There are as many readers as the backlog wants, up to the limit, and one when there
// is nothing to do.
func TestConsumersConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchSize: number(1), BatchTimeout: number(0), Concurrency: number(3)}, "")
		m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) {
			time.Sleep(time.Second)
			return trigger.Ran{}, nil
		}
		m.send("1", "2", "3", "4", "5", "6", "7", "8", "9")
		c := m.start()
		defer m.end(c)
		time.Sleep(3500 * time.Millisecond)
		m.wantWaiting("q", 0)
		m.wantMost(3)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := c.Readers("q"); n != 1 {
			t.Errorf("%d readers wait where nothing happens, want 1", n)
		}
	})
}

// A queue that is paused, or gets another consumer, loses nothing.
func TestConsumersPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0)}, "")
		c := m.start()
		defer m.end(c)
		m.send("a")
		m.wantBatches("worker a.1")
		q := m.all["q"]
		m.mu.Lock()
		delete(m.all, "q")
		m.mu.Unlock()
		c.Wake()
		synctest.Wait()
		m.send("b")
		time.Sleep(time.Hour)
		m.wantBatches()
		m.mu.Lock()
		m.all["q"] = q
		m.mu.Unlock()
		m.edit(func(q *deploy.Queue) { q.Consumer.Function = "other" })
		time.Sleep(2 * time.Second)
		m.wantBatches("other b.1")
		m.wantWaiting("q", 0)
	})
}

// A batch that could not begin is given back, and does not count.
func TestConsumersRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), Retries: number(0), Concurrency: number(1)}, "")
		refusals := 5
		m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) {
			if refusals--; refusals >= 0 {
				return trigger.Ran{}, host.Errorf(host.CodeUnavailable, "no place")
			}
			return trigger.Ran{}, nil
		}
		m.send("a")
		c := m.start()
		defer m.end(c)
		time.Sleep(time.Minute)
		m.wantBatches("worker a.1", "worker a.1", "worker a.1", "worker a.1", "worker a.1", "worker a.1")
		m.wantWaiting("q", 0)
	})
}

// At the end of the node batches finish if they do in time; what is cut off comes again,
// as if nothing had been.
func TestConsumersShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), BatchSize: number(1)}, "")
		store := memkv.New(memkv.Config{})
		m.open(store)
		m.handle = func(ctx context.Context, b *host.QueueBatch) (trigger.Ran, error) {
			if string(b.Messages[0].Body) == "quick" {
				time.Sleep(time.Second)
				return trigger.Ran{}, nil
			}
			<-ctx.Done()
			return trigger.Ran{Outcome: host.OutcomeCanceled, Err: ctx.Err()}, nil
		}
		m.send("quick", "endless")
		c := m.start()
		synctest.Wait()
		drain, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c.Shutdown(drain)
		m.wantWaiting("q", 1)
		m.open(store)
		defer m.queues.Close()
		list, err := m.queues.Receive(t.Context(), kv.Queue{Account: "local", ID: "q"}, kv.ReceiveOptions{Max: 10, Lease: time.Hour})
		if err != nil || len(list) != 1 || string(list[0].Body) != "endless" || list[0].Attempts != 1 {
			t.Errorf("afterwards there is %v, %v", list, err)
		}
	})
}

// A node that is drained takes no messages from others.
func TestConsumersDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0)}, "")
		places := trigger.NewPlaces(0)
		places.Pause(true)
		c := trigger.NewConsumers(trigger.ConsumersConfig{Registry: m, Queues: m.queues, Run: m.run, Places: places})
		defer m.end(c)
		m.send("a")
		time.Sleep(time.Hour)
		synctest.Wait()
		if s, err := m.queues.Stats(t.Context(), kv.Queue{Account: "local", ID: "q"}); err != nil || s.Leased != 0 {
			t.Errorf("there is %+v, %v; want that nothing is on lease", s, err)
		}
		places.Pause(false)
		m.wantBatches("worker a.1")
	})
}

// shared are slots of a cluster in which another node holds all but some.
type shared struct{ free chan struct{} }

func (s shared) Take(ctx context.Context, _ kv.Queue, _ int) (context.Context, func(), bool) {
	select {
	case s.free <- struct{}{}:
		return ctx, func() { <-s.free }, true
	default:
		return nil, nil, false
	}
}

func TestConsumersSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0), BatchSize: number(1), Concurrency: number(5)}, "")
		m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) {
			time.Sleep(time.Second)
			return trigger.Ran{}, nil
		}
		m.send("1", "2", "3", "4", "5", "6")
		slots := shared{make(chan struct{}, 2)}
		c := trigger.NewConsumers(trigger.ConsumersConfig{Registry: m, Queues: m.queues, Run: m.run, Slots: slots})
		defer m.end(c)
		time.Sleep(time.Minute)
		m.wantWaiting("q", 0)
		m.wantMost(2)
	})
}

// Readers that find nothing at the same time do not all go.
func TestConsumersKeepReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{BatchSize: number(1), BatchTimeout: number(0), Concurrency: number(20)}, "")
		m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) {
			time.Sleep(time.Second)
			return trigger.Ran{}, nil
		}
		c := m.start()
		defer m.end(c)
		for range 5 {
			var texts []string
			for i := range 40 {
				texts = append(texts, fmt.Sprint(i))
			}
			m.send(texts...)
			time.Sleep(time.Minute)
			m.wantWaiting("q", 0)
			if n := c.Readers("q"); n != 1 {
				t.Errorf("%d readers wait where nothing happens, want 1", n)
			}
		}
		m.edit(func(q *deploy.Queue) { q.Consumer.Settings.Concurrency = number(2) })
		time.Sleep(2 * time.Second)
		m.wantMost(20)
		m.send("1", "2", "3", "4", "5", "6")
		time.Sleep(time.Minute)
		m.wantMost(2)
	})
}

// lossy are queues one of which seems to be deleted once.
type lossy struct {
	kv.Queues
	lost atomic.Bool
}

func (l *lossy) Receive(ctx context.Context, q kv.Queue, opts kv.ReceiveOptions) ([]kv.Delivery, error) {
	if l.lost.CompareAndSwap(false, true) {
		return nil, kv.ErrNoQueue
	}
	return l.Queues.Receive(ctx, q, opts)
}

// A queue that is there is consumed, also after it seemed to be gone.
func TestConsumersOfQueueThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t, deploy.ConsumerSettings{}, "")
		m.queues = &lossy{Queues: m.queues}
		c := m.start()
		defer m.end(c)
		if _, err := m.queues.Send(t.Context(), kv.Queue{Account: "local", ID: "q"}, []kv.Message{{ContentType: kv.ContentText, Body: []byte("a")}}, kv.SendOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if got, want := strings.Join(m.batches, ","), "worker a.1"; got != want {
			t.Errorf("batches %q, want %q", got, want)
		}
	})
}
