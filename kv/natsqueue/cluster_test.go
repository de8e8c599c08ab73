package natsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsqueue"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

// mustPeers returns what starts each of three servers of a cluster.
func mustPeers(t *testing.T) (start [3]func() *server.Server) {
	t.Helper()
	var routes []*url.URL
	ports := porttest.Ports(t, len(start))
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	for i := range start {
		options := &server.Options{ServerName: fmt.Sprint("server-", i), Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}, Routes: slices.Concat(routes[:i], routes[i+1:])}
		start[i] = func() *server.Server {
			s, err := server.NewServer(options)
			if err != nil {
				t.Fatal(err)
			}
			s.Start()
			t.Cleanup(func() { stop(s) })
			if !s.ReadyForConnections(startTime) {
				t.Fatal("the NATS server does not start")
			}
			return s
		}
	}
	return start
}

// A queue that is made while the cluster has no room for its replicas gets them later.
func TestReplicasLater(t *testing.T) {
	t.Parallel()
	start := mustPeers(t)
	first := start[0]()
	start[1]()
	conn := mustConnect(t, first)
	q := mustNew(t, natsqueue.Patient(natsqueue.Config{Conn: conn}, 5*time.Second)) // without a leader, no answer ever comes
	defer q.Close()
	eventually := func(what string, do func() error) {
		t.Helper()
		var err error
		for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if err = do(); err == nil {
				return
			}
		}
		t.Fatalf("not within three minutes: %s: %v", what, err)
	}
	eventually("a message is sent", func() error {
		_, err := q.Send(t.Context(), queue, []kv.Message{{ContentType: kv.ContentText, Body: []byte("a")}}, kv.SendOptions{})
		return err
	})
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	replicas := func() (int, error) {
		stream, err := js.Stream(t.Context(), "MAYFLY_mayfly_queue_local_q")
		if err != nil {
			return 0, err
		}
		return stream.CachedInfo().Config.Replicas, nil
	}
	n := 0
	eventually("the queue is there", func() (err error) {
		n, err = replicas()
		return err
	})
	if n != 1 {
		t.Fatalf("got %d replicas on two servers, want 1", n)
	}
	start[2]()
	eventually("the queue has three replicas", func() error {
		if err := q.Replicate(t.Context()); err != nil {
			return err
		}
		if n, err := replicas(); n != 3 || err != nil {
			return fmt.Errorf("it has %d, %w", n, err)
		}
		return nil
	})
	mustReceive(t, q, 1)
}

// Who gives up the search for a queue that others wait for, too, lets them go on.
func TestOpenGivenUp(t *testing.T) {
	t.Parallel()
	q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, mustServer(t, t.TempDir()))})
	defer q.Close()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
			defer cancel()
			if i%4 == 3 {
				ctx = t.Context()
			}
			if _, err := q.Send(ctx, queue, texts(1), kv.SendOptions{}); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("sender %d: %v", i, err)
			}
			if err := ctx.Err(); i%4 == 3 && err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s, err := q.Stats(t.Context(), queue); err != nil || s.Messages < 10 {
		t.Errorf("got %+v, %v, want the messages of the ten who waited at least", s, err)
	}
}

// Of a stream with replicas, messages may come after the word that there are no more. What
// is received is all of them, each once.
func TestReceiveFromReplicas(t *testing.T) {
	t.Parallel()
	var first *server.Server
	for i, start := range mustPeers(t) {
		if s := start(); i == 0 {
			first = s
		}
	}
	cfg := natsqueue.Config{Conn: mustConnect(t, first), Replicas: 3}
	q := mustNew(t, natsqueue.Patient(cfg, 5*time.Second)) // without a leader, no answer ever comes
	defer q.Close()
	for try := 1; ; try++ {
		eventually(t, "messages are sent", func() error {
			_, err := q.Send(t.Context(), queue, texts(100), kv.SendOptions{})
			return err
		})
		again := 0
		var done []kv.Settlement
		for _, d := range mustReceive(t, q, 100) {
			again += min(1, d.Attempts-1)
			done = append(done, kv.Settlement{Lease: d.Lease})
		}
		if again == 0 {
			return
		}
		if try == 5 { // on a busy machine, some may come again for other reasons
			t.Fatalf("of 100 messages, %d came again that nobody had got before", again)
		}
		if _, err := q.Settle(t.Context(), queue, done); err != nil {
			t.Fatal(err)
		}
	}
}
