package natsserver_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func mustStart(t *testing.T, cfg natsserver.Config) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustJetStream(t *testing.T, servers string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(servers, append(opts, nats.Timeout(time.Minute))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func mustConnect(t *testing.T, s *natsserver.Server) jetstream.JetStream {
	t.Helper()
	servers, opts := s.Connect()
	return mustJetStream(t, servers, opts...)
}

// eventually tries again until there is no error.
func eventually(t *testing.T, do func(ctx context.Context) error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err = do(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestAlone(t *testing.T) {
	cfg := natsserver.Config{Dir: t.TempDir(), Node: "one"}
	s := mustStart(t, cfg)
	if s.Addr() != "" || s.Waiting() != "" {
		t.Errorf("got the address %q, waiting for %q; want neither", s.Addr(), s.Waiting())
	}
	js := mustConnect(t, s)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s.a", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stream, err := mustConnect(t, mustStart(t, cfg)).Stream(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := stream.GetLastMsgForSubject(t.Context(), "s.a"); err != nil || string(msg.Data) != "kept" {
		t.Errorf("after a restart: got %v, %v", msg, err)
	}
}

// TestThree has one server of three stop while the others go on, and catch up.
func TestThree(t *testing.T) {
	peers := porttest.Addresses(t, 3)
	start := func(i int, dir string) *natsserver.Server {
		return mustStart(t, natsserver.Config{Dir: dir, Node: fmt.Sprint("n", i), Secret: "of these three", ClusterListen: peers[i], Peers: peers})
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	first := start(0, dirs[0])
	if w := first.Waiting(); !strings.Contains(w, "1 of 3 servers are there") {
		t.Errorf("alone of three: waiting for %q", w)
	}
	second, third := start(1, dirs[1]), start(2, dirs[2])
	js := mustConnect(t, first)
	eventually(t, func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s.>"}, Replicas: 3})
		return err
	})
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := js.Publish(ctx, "s.a", []byte("by two"))
		return err
	})
	third = start(2, dirs[2])
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	js = mustConnect(t, third)
	eventually(t, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "s")
		if err != nil {
			return err
		}
		msg, err := stream.GetLastMsgForSubject(ctx, "s.a")
		if err == nil && string(msg.Data) != "by two" {
			err = fmt.Errorf("got %q", msg.Data)
		}
		return err
	})
}

func TestSecret(t *testing.T) {
	s := mustStart(t, natsserver.Config{Dir: t.TempDir(), Node: "one", Listen: "127.0.0.1:0", Secret: "known to few"})
	if _, err := mustJetStream(t, "nats://"+s.Addr(), nats.UserInfo(natsserver.User, "known to few")).AccountInfo(t.Context()); err != nil {
		t.Errorf("with the secret: %v", err)
	}
	for _, opts := range [][]nats.Option{nil, {nats.UserInfo(natsserver.User, "")}, {nats.UserInfo("", "")}, {nats.UserInfo(natsserver.User, "guessed")}, {nats.UserInfo("other", "known to few")}} {
		if nc, err := nats.Connect("nats://"+s.Addr(), append(opts, nats.Timeout(time.Minute))...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("without the secret: got a connection: %v, %v", nc != nil, err)
		}
	}
}

func TestRefused(t *testing.T) {
	taken := mustStart(t, natsserver.Config{Dir: t.TempDir(), Node: "one", Listen: "127.0.0.1:0", Secret: "s"})
	for _, tt := range []struct {
		name string
		cfg  natsserver.Config
		want string
	}{
		{"no secret for clients", natsserver.Config{Listen: "127.0.0.1:0"}, "needs a secret"},
		{"no secret for servers", natsserver.Config{ClusterListen: "127.0.0.1:0", Peers: []string{"127.0.0.1:1"}}, "needs a secret"},
		{"no peers", natsserver.Config{ClusterListen: "127.0.0.1:0", Secret: "s"}, "needs its peers"},
		{"no port", natsserver.Config{Listen: "127.0.0.1", Secret: "s"}, "missing port"},
		{"taken", natsserver.Config{Listen: taken.Addr(), Secret: "s"}, "address already in use"},
		{"taken by clients", natsserver.Config{ClusterListen: taken.Addr(), Peers: []string{taken.Addr()}, Secret: "s"}, "address already in use"},
		{"a file as directory", natsserver.Config{Dir: "natsserver.go"}, "not a directory"},
	} {
		if tt.cfg.Dir == "" {
			tt.cfg.Dir = filepath.Join(t.TempDir(), "nats")
		}
		tt.cfg.Node = "two"
		if _, err := natsserver.Start(t.Context(), tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
