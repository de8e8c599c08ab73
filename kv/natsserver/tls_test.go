package natsserver_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/natsserver/natstest"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/nats-io/nats.go/jetstream"
)

// TestTLS has servers believe each other's certificates, and one with those of another
// authority stay outside and say what to do, until it gets better ones.
func TestTLS(t *testing.T) {
	ours, theirs := natstest.NewAuthority(t), natstest.NewAuthority(t)
	peers := porttest.Addresses(t, 3)
	var log logtest.Buffer
	start := func(i int, a *natstest.Authority, dir string) *natsserver.Server {
		return mustStart(t, natsserver.Config{Dir: dir, Node: fmt.Sprint("n", i), Secret: "of these three", ClusterListen: peers[i], Peers: peers,
			TLS: a.TLS(t, "127.0.0.1", true), Logger: log.Logger()})
	}
	first, last := start(0, ours, t.TempDir()), t.TempDir()
	stranger := start(2, theirs, last)
	eventually(t, func(context.Context) error {
		if got := log.String(); !strings.Contains(got, "give all nodes the same authority (tls.ca)") {
			return fmt.Errorf("the log has\n%s", got)
		}
		return nil
	})
	for _, s := range []*natsserver.Server{first, stranger} {
		if w := s.Waiting(); !strings.Contains(w, "1 of 3 servers are there") {
			t.Errorf("two that are strangers to each other: waiting for %q", w)
		}
	}
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}
	start(1, ours, t.TempDir())
	start(2, ours, last)
	js := mustConnect(t, first)
	eventually(t, func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s.>"}})
		return err
	})
}
