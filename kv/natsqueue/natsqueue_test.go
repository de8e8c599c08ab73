package natsqueue_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsqueue"
	"github.com/mayfly-run/mayfly/kv/queuetest"
)

// startTime is how long a server may take until it listens, on a busy machine.
const startTime = 2 * time.Minute

// mustServer starts a server with JetStream in dir.
func mustServer(t testing.TB, dir string) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(startTime) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { stop(s) })
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// TestMain has tests that mostly wait do so at the same time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func mustConnect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL(), nats.Timeout(startTime))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func mustNew(t testing.TB, cfg natsqueue.Config) *natsqueue.Queues {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	q, err := natsqueue.New(natsqueue.Patient(cfg, startTime))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQueues(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	var n atomic.Int64
	queuetest.Run(t, func(testing.TB) queuetest.Open {
		bucket := fmt.Sprintf("bucket-%d", n.Add(1))
		return func(t testing.TB, b queuetest.Bounds) kv.Queues {
			return mustNew(t, natsqueue.Config{Conn: mustConnect(t, s), Bucket: bucket, QueueBytes: b.Queue, AccountBytes: b.Account, AccountLeased: b.Leased})
		}
	})
}

var queue = kv.Queue{Account: "local", ID: "q"}

func mustReceive(t *testing.T, q kv.Queues, n int) []kv.Delivery {
	t.Helper()
	var all []kv.Delivery
	for deadline := time.Now().Add(2 * time.Minute); len(all) < n; {
		list, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: n - len(all), Lease: time.Hour, Wait: time.Second})
		if err != nil && !errors.Is(err, kv.ErrUnavailable) { // servers may be choosing a leader
			t.Fatal(err)
		}
		if all = append(all, list...); time.Now().After(deadline) {
			t.Fatalf("received %d messages, want %d; %v", len(all), n, err)
		}
	}
	return all
}

// What one node has leased another may settle; what a node has leased that is gone comes
// again to the others, and that of one which is there does not.
func TestNodes(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	var nodes []*natsqueue.Queues
	for range 3 {
		q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, s), Bucket: "nodes"})
		t.Cleanup(func() { q.Close() })
		nodes = append(nodes, q)
	}
	for _, text := range []string{"settled", "lost", "kept"} {
		if _, err := nodes[0].Send(t.Context(), queue, []kv.Message{{ContentType: kv.ContentText, Body: []byte(text)}}, kv.SendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	settled, lost, kept := mustReceive(t, nodes[0], 1)[0], mustReceive(t, nodes[0], 1)[0], mustReceive(t, nodes[1], 1)[0]
	if stale, err := nodes[2].Settle(t.Context(), queue, []kv.Settlement{{Lease: settled.Lease}}); err != nil || len(stale) > 0 {
		t.Fatalf("another node could not settle: %v, %v", stale, err)
	}
	nodes[0].Close()
	again := mustReceive(t, nodes[2], 1)[0]
	if again.ID != lost.ID || again.Attempts != 2 {
		t.Errorf("got %s, attempt %d; want what the node had that is gone", again.Body, again.Attempts)
	}
	// Nobody else has told of it for as long by now.
	if list, err := nodes[2].Receive(t.Context(), queue, kv.ReceiveOptions{Max: 10, Lease: time.Hour, Wait: 2 * time.Second}); err != nil || len(list) > 0 {
		t.Errorf("got %v, %v, which others have on lease", list, err)
	}
	if stale, err := nodes[1].Settle(t.Context(), queue, []kv.Settlement{{Lease: kept.Lease, Retry: true, Delay: time.Second}}); err != nil || len(stale) > 0 {
		t.Fatalf("settle: %v, %v", stale, err)
	}
	if later := mustReceive(t, nodes[2], 1)[0]; later.ID != kept.ID || later.Attempts != 2 {
		t.Errorf("got %s, attempt %d; want the one that was to be tried again", later.Body, later.Attempts)
	}
}

// A node that waits for more than it has got tells that it is there: what it has got comes
// to nobody else, nor again to itself.
func TestWaitsForMore(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	first, second := mustNew(t, natsqueue.Config{Conn: mustConnect(t, s)}), mustNew(t, natsqueue.Config{Conn: mustConnect(t, s)})
	defer second.Close()
	defer first.Close()
	if _, err := first.Send(t.Context(), queue, []kv.Message{{ContentType: kv.ContentText, Body: []byte("a")}}, kv.SendOptions{}); err != nil {
		t.Fatal(err)
	}
	got := make(chan []kv.Delivery, 1)
	go func() {
		list, err := first.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 2, Lease: time.Hour, Wait: startTime, Linger: natsqueue.AckWait + 2*time.Second})
		if err != nil {
			t.Error(err)
		}
		got <- list
	}()
	for leased := 0; leased == 0; time.Sleep(20 * time.Millisecond) {
		stats, err := second.Stats(t.Context(), queue)
		if err != nil {
			t.Fatal(err)
		}
		leased = int(stats.Leased)
	}
	if list, err := second.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 1, Lease: time.Hour, Wait: natsqueue.AckWait + time.Second}); err != nil || len(list) > 0 {
		t.Errorf("another node got %v, %v", list, err)
	}
	if list := <-got; len(list) != 1 || list[0].Attempts != 1 {
		t.Errorf("got %v, want one message, for the first time", list)
	}
}

// A lease by which a message was given back settles nothing any more, whoever has the
// message then.
func TestLeaseOfRetry(t *testing.T) {
	t.Parallel()
	q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, mustServer(t, t.TempDir()))})
	defer q.Close()
	if _, err := q.Send(t.Context(), queue, []kv.Message{{ContentType: kv.ContentText, Body: []byte("a")}}, kv.SendOptions{}); err != nil {
		t.Fatal(err)
	}
	old := mustReceive(t, q, 1)[0]
	settle := func(s kv.Settlement) {
		t.Helper()
		if _, err := q.Settle(t.Context(), queue, []kv.Settlement{s}); err != nil {
			t.Fatal(err)
		}
	}
	settle(kv.Settlement{Lease: old.Lease, Retry: true})
	again := mustReceive(t, q, 1)[0]
	settle(kv.Settlement{Lease: old.Lease})
	settle(kv.Settlement{Lease: old.Lease, Retry: true})
	if s, err := q.Stats(t.Context(), queue); err != nil || s.Messages != 1 || s.Leased != 1 {
		t.Errorf("got %+v, %v, want the message that is on lease again", s, err)
	}
	settle(kv.Settlement{Lease: again.Lease})
	if s, err := q.Stats(t.Context(), queue); err != nil || s.Messages != 0 {
		t.Errorf("got %+v, %v, want nothing", s, err)
	}
}

// Servers that choose a leader have nobody who gives out messages. The queue is not taken
// for deleted then, and goes on later.
func TestNobodyGivesOut(t *testing.T) {
	t.Parallel()
	conn := mustConnect(t, mustServer(t, t.TempDir()))
	q := mustNew(t, natsqueue.Config{Conn: conn})
	defer q.Close()
	if _, err := q.Send(t.Context(), queue, []kv.Message{{ContentType: kv.ContentText, Body: []byte("a")}}, kv.SendOptions{}); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(t.Context(), "MAYFLY_mayfly_queue_local_q", "consumers"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 1, Lease: time.Hour}); !errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrNoQueue) {
		t.Errorf("Receive: %v, want ErrUnavailable", err)
	}
	mustReceive(t, q, 1)
}

// Without servers, calls say so, and go on when they are back.
func TestServerAway(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	q := mustNew(t, natsqueue.Patient(natsqueue.Config{Conn: mustConnect(t, s)}, 5*time.Second)) // it is never answered
	defer q.Close()
	message := []kv.Message{{ContentType: kv.ContentText, Body: []byte("a")}}
	if _, err := q.Send(t.Context(), queue, message, kv.SendOptions{}); err != nil {
		t.Fatal(err)
	}
	stop(s)
	if _, err := q.Send(t.Context(), queue, message, kv.SendOptions{}); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("Send: %v, want ErrUnavailable", err)
	}
	if _, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 1, Lease: time.Hour}); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("Receive: %v, want ErrUnavailable", err)
	}
}

func BenchmarkQueues(b *testing.B) {
	s := mustServer(b, b.TempDir())
	queuetest.Bench(b, func(b *testing.B) kv.Queues {
		return mustNew(b, natsqueue.Config{Conn: mustConnect(b, s)})
	})
}
