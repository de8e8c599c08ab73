package natskv_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv/natskv"
)

// silence loses what the first consumer delivers, but not its heartbeats.
type silence struct {
	mu    sync.Mutex // guards the fields below
	first string     // the consumer
	lost  int
	heard map[string]bool // consumers that delivered something
}

// lose is that of a proxy. What JetStream delivers has a subject for acknowledgements,
// with the consumer's name: $JS.ACK.<stream>.<consumer>. and numbers.
func (s *silence) lose(_, reply string) bool {
	f := strings.Split(reply, ".")
	if len(f) < 9 || f[0] != "$JS" || f[1] != "ACK" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	consumer := f[3]
	if s.first == "" {
		s.first = consumer
	}
	if consumer == s.first {
		s.lost++
		return true
	}
	s.heard[consumer] = true
	return false
}

// TestSilentConsumer: a node whose consumer is alive, and gives nothing of what the
// stream has, gets what it lacks from another one.
func TestSilentConsumer(t *testing.T) {
	t.Parallel()
	server := mustServer(t, t.TempDir(), -1)
	near := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	for i := range 3 {
		mustPut(t, near, fmt.Sprint("k", i), "v")
	}
	s := &silence{heard: map[string]bool{}}
	p := mustLossyProxy(t, server.Addr().String(), s.lose)
	far := mustOpen(t, natskv.Config{URL: p.url()}) // returns when the copy is current
	for i := range 3 {
		wantHas(t, far, fmt.Sprint("k", i), "v")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == 0 || len(s.heard) == 0 {
		t.Errorf("lost %d messages of the first consumer, %d others delivered; want some of both", s.lost, len(s.heard))
	}
}

// TestConsumerStops: a node that is current, and whose consumer is paused or deleted at
// the server, notices when it needs what others wrote.
func TestConsumerStops(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, jetstream.Stream, string) error{
		"paused": func(t *testing.T, s jetstream.Stream, consumer string) error {
			_, err := s.PauseConsumer(t.Context(), consumer, time.Now().Add(24*time.Hour))
			return err
		},
		"deleted": func(t *testing.T, s jetstream.Stream, consumer string) error {
			return s.DeleteConsumer(t.Context(), consumer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mustServer(t, t.TempDir(), -1)
			far := mustOpen(t, natskv.Config{URL: server.ClientURL()})
			consumers := mustConsumers(t, far)
			near := mustOpen(t, natskv.Config{URL: server.ClientURL()})
			mustPut(t, near, "k", "v")
			if err := far.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			stream, err := near.JetStream().Stream(t.Context(), "MAYFLY_mayfly")
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range consumers {
				if err := end(t, stream, c); err != nil {
					t.Fatal(err)
				}
			}
			mustPut(t, near, "k", "w")
			eventually(t, "the copy catches up", func() error {
				return errors.Join(far.Sync(t.Context()), has(t, far, "k", "w"))
			})
			mustPut(t, far, "k", "x") // which waits for the copy
			wantHas(t, far, "k", "x")
		})
	}
}

// mustConsumers are the names of those of the stream.
func mustConsumers(t *testing.T, s *natskv.Store) (names []string) {
	t.Helper()
	stream, err := s.JetStream().Stream(t.Context(), "MAYFLY_mayfly")
	if err != nil {
		t.Fatal(err)
	}
	list := stream.ConsumerNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	if list.Err() != nil || len(names) == 0 {
		t.Fatalf("got consumers %q, %v", names, list.Err())
	}
	return names
}
