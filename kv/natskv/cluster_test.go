package natskv_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

// cluster is three servers, each of which can be stopped and started again.
type cluster struct {
	options []*server.Options
	servers []*server.Server
}

func mustCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{servers: make([]*server.Server, 3)}
	var routes []*url.URL
	ports := porttest.Ports(t, 6) // of routes, then of clients
	for _, port := range ports[:3] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	for i := range 3 {
		c.options = append(c.options, &server.Options{
			ServerName: fmt.Sprint("server-", i), Host: "127.0.0.1", Port: ports[3+i], JetStream: true, StoreDir: t.TempDir(),
			SyncAlways: true, NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
			Routes:  slices.Concat(routes[:i], routes[i+1:]),
		})
	}
	return c
}

func (c *cluster) start(t testing.TB, i int) {
	t.Helper()
	s, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(startTime) {
		t.Fatal("the NATS server does not start")
	}
	c.servers[i] = s
	t.Cleanup(func() { stop(s) })
}

func (c *cluster) stop(i int) { stop(c.servers[i]) }

func (c *cluster) url() string {
	var all []string
	for _, o := range c.options {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(all, ",")
}

// replicas is how many servers have all of a stream.
func replicas(t *testing.T, s *natskv.Store, name string) (int, error) {
	t.Helper()
	stream, err := s.JetStream().Stream(t.Context(), name)
	if err != nil {
		return 0, err
	}
	n := 1
	for _, peer := range stream.CachedInfo().Cluster.Replicas {
		if peer.Current && !peer.Offline {
			n++
		}
	}
	return n, nil
}

// TestCluster writes on while a server is stopped and started again; with
// MAYFLY_TORTURE=1 each in turn.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := mustCluster(t)
	for i := range 2 {
		c.start(t, i)
	}
	// Two of three servers have room for one replica.
	first := mustOpen(t, impatient(natskv.Config{URL: c.url()}))
	mustPut(t, first, "k", "v")
	c.start(t, 2)
	eventually(t, "the streams get three replicas", func() error {
		if err := first.Replicate(t.Context()); err != nil {
			return err
		}
		for _, name := range []string{"MAYFLY_mayfly", "MAYFLY_mayfly_chunks"} {
			if n, err := replicas(t, first, name); err != nil || n != 3 {
				return fmt.Errorf("stream %s has %d, %v", name, n, err)
			}
		}
		return nil
	})
	second := mustOpen(t, impatient(natskv.Config{URL: c.url()}))
	wantHas(t, second, "k", "v")

	l := &ledger{last: map[string]int{}, unclear: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	for i, s := range []*natskv.Store{first, second} {
		if err := kv.LogChanges(t.Context(), s, []kv.ChangeRule{{Prefix: "sum", Log: "log/"}}); err != nil {
			t.Fatal(err)
		}
		writers.Go(func() { l.write(ctx, t, s, fmt.Sprint("writer/", i)) })
		writers.Go(func() { l.count(ctx, t, s) })
	}
	stops := 1
	if os.Getenv("MAYFLY_TORTURE") != "" {
		stops = 3
	}
	for i := range stops {
		c.stop(i)
		l.more(t, 50)
		c.start(t, i)
		l.more(t, 20)
	}
	cancel()
	writers.Wait()
	for _, s := range []*natskv.Store{first, second, mustOpen(t, impatient(natskv.Config{URL: c.url()}))} {
		eventually(t, "a node catches up", func() error { return s.Sync(t.Context()) })
		l.check(t, s)
	}
	t.Logf("%d writes acknowledged, %d unclear; %d additions, %d unclear", l.acked.Load(), l.lost, l.added.Load(), l.addedUnclear.Load())
}

// TestClusterStore runs the kit with three replicas.
func TestClusterStore(t *testing.T) {
	if os.Getenv("MAYFLY_TORTURE") == "" {
		t.Skip("set MAYFLY_TORTURE=1: TestStore runs the same kit on one server")
	}
	c := mustCluster(t)
	for i := range 3 {
		c.start(t, i)
	}
	bucket := buckets()
	open := func(t *testing.T, now func() time.Time) kv.Store {
		return mustOpen(t, natskv.Config{URL: c.url(), Bucket: bucket(), Now: now, Replicas: 3})
	}
	kvtest.Run(t, open)
	kvtest.RunChanges(t, open)
}
