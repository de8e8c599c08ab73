package natsserver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/nats-io/nats.go/jetstream"
)

// peers are servers of a cluster, in directories of their own.
type peers struct {
	addresses []string
	dirs      []string
	log       *slog.Logger
}

func newPeers(t *testing.T, n int) *peers {
	p := &peers{addresses: porttest.Addresses(t, n), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for range n {
		p.dirs = append(p.dirs, t.TempDir())
	}
	return p
}

// config of a server, of a cluster of so many; of 0, it is alone.
func (p *peers) config(i, of int) natsserver.Config {
	cfg := natsserver.Config{Dir: p.dirs[i], Node: fmt.Sprint("n", i), Secret: "of these", Logger: p.log}
	if of > 0 {
		cfg.ClusterListen, cfg.Peers, cfg.First = p.addresses[i], p.addresses[:of], i == 0
	}
	return cfg
}

// longTest runs beside others: it mostly waits until servers agree.
func longTest(t *testing.T) {
	if testing.Short() {
		t.Skip("servers of a cluster take long to start: run it without -short")
	}
	t.Parallel()
}

const idKey = "mayfly_id"

// mustFill makes a stream of 1,000 messages, of which the first is gone, with a consumer
// that has seen half of them.
func mustFill(t *testing.T, s *natsserver.Server, name string) {
	t.Helper()
	js := mustConnect(t, s)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, FirstSeq: 77, Metadata: map[string]string{idKey: "id of " + name}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if _, err := js.Publish(t.Context(), fmt.Sprint(name, ".", i), []byte(strings.Repeat("x", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.DeleteMsg(t.Context(), 77); err != nil {
		t.Fatal(err)
	}
	c, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.Fetch(500)
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// wantFilled looks for what mustFill made.
func wantFilled(t *testing.T, s *natsserver.Server, name string) {
	t.Helper()
	js := mustConnect(t, s)
	eventually(t, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		if state := stream.CachedInfo().State; state.Msgs != 999 || state.FirstSeq != 78 || state.LastSeq != 1076 {
			return fmt.Errorf("stream %s: got %+v", name, state)
		}
		m, err := stream.GetMsg(ctx, 576)
		if err != nil || len(m.Data) != 499 {
			return fmt.Errorf("message 576: got %v, %w", m, err)
		}
		c, err := stream.Consumer(ctx, "c")
		if err != nil {
			return err
		}
		if info := c.CachedInfo(); info.NumPending != 499 {
			return fmt.Errorf("the consumer has %d to come, want 499", info.NumPending)
		}
		return nil
	})
}

// TestGrow makes a server that was alone the first of three, and then of five.
func TestGrow(t *testing.T) {
	longTest(t)
	p := newPeers(t, 5)
	s := mustStart(t, p.config(0, 0))
	for _, name := range []string{"data", "data_a", "data_b"} {
		mustFill(t, s, name)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wrong := p.config(0, 3)
	wrong.First = false
	if _, err := natsserver.Start(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "put this node's address first in peers") {
		t.Fatalf("as one that is not the first: got %v", err)
	}
	first := mustStart(t, p.config(0, 3))
	second := mustStart(t, p.config(1, 3))
	third := mustStart(t, p.config(2, 3))
	if !first.Brings() || second.Brings() {
		t.Fatal("the first one has something to bring, and nobody else")
	}
	if err := first.Bring(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*natsserver.Server{first, second, third} {
		for _, name := range []string{"data", "data_a", "data_b"} {
			wantFilled(t, s, name)
		}
	}
	js := mustConnect(t, third)
	replicate(t, js, 3)
	for i := 3; i < 5; i++ {
		mustStart(t, p.config(i, 5))
	}
	replicate(t, js, 5)
	wantFilled(t, first, "data")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := natsserver.Start(t.Context(), p.config(0, 0)); err == nil || !strings.Contains(err.Error(), "is of a server of a cluster") {
		t.Errorf("alone again: got %v", err)
	}
}

// replicate has a stream have replicas, and waits for them.
func replicate(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "data")
		if err != nil {
			return err
		}
		info := stream.CachedInfo()
		if info.Config.Replicas != n {
			info.Config.Replicas = n
			if _, err := js.UpdateStream(ctx, info.Config); err != nil {
				return err
			}
		}
		current := 1
		for _, r := range info.Cluster.Replicas {
			if r.Current {
				current++
			}
		}
		if current != n {
			return fmt.Errorf("%d of %d replicas are current", current, n)
		}
		return nil
	})
}

// TestGrowInterrupted has an attempt end in the middle, and a cluster that has data of
// its own.
func TestGrowInterrupted(t *testing.T) {
	longTest(t)
	p := newPeers(t, 3)
	s := mustStart(t, p.config(0, 0))
	for _, name := range []string{"data", "data_a"} {
		mustFill(t, s, name)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first := mustStart(t, p.config(0, 3))
	alone, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := first.Bring(alone); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without others: got %v", err)
	}
	second := mustStart(t, p.config(1, 3))
	mustStart(t, p.config(2, 3))
	js := mustConnect(t, second)
	other := func(name, id string) {
		eventually(t, func(ctx context.Context) error {
			_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Metadata: map[string]string{idKey: id}})
			return err
		})
	}
	other("data", "another")
	if err := first.Bring(t.Context()); !errors.Is(err, natsserver.ErrTwo) {
		t.Fatalf("into a cluster with data of its own: got %v", err)
	}
	eventually(t, func(ctx context.Context) error {
		err := js.DeleteStream(ctx, "data")
		if errors.Is(err, jetstream.ErrStreamNotFound) { // by an attempt that was not answered
			return nil
		}
		return err
	})
	other("data_a", "id of data_a") // as an attempt may leave it
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	first = mustStart(t, p.config(0, 3))
	if err := first.Bring(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantFilled(t, second, "data")
	wantFilled(t, second, "data_a")
	if first.Brings() {
		t.Error("all was brought, and yet something is left")
	}
	if _, err := os.Stat(p.dirs[0] + ".before-cluster"); err != nil {
		t.Errorf("what was brought is not kept: %v", err)
	}
}

// TestReplace has a server come back under its name with an empty disk and another
// address, which those that are left have not been told.
func TestReplace(t *testing.T) {
	longTest(t)
	p := newPeers(t, 4)
	var servers [3]*natsserver.Server
	for i := range servers {
		servers[i] = mustStart(t, p.config(i, 3))
	}
	js := mustConnect(t, servers[0])
	eventually(t, func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "data", Subjects: []string{"data.>"}, Replicas: 3})
		return err
	})
	if err := servers[2].Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := js.Publish(ctx, "data.a", []byte("by two"))
		return err
	})
	cfg := p.config(2, 3)
	cfg.Dir, cfg.ClusterListen, cfg.Peers = p.dirs[3], p.addresses[3], []string{p.addresses[0], p.addresses[1], p.addresses[3]}
	js = mustConnect(t, mustStart(t, cfg))
	replicate(t, js, 3)
	eventually(t, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "data")
		if err != nil {
			return err
		}
		_, err = stream.GetLastMsgForSubject(ctx, "data.a")
		return err
	})
}
