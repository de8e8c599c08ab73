package cluster_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/runtime/cluster"
)

// servers are NATS servers of which this one leads.
type servers struct {
	mu      sync.Mutex // guards what follows
	members []string
	no      error // of MayRemove
	broken  error // of Remove
	removed []string
}

var (
	_ cluster.Servers = (*servers)(nil)
	_ cluster.Servers = (*natsserver.Server)(nil)
)

func (s *servers) Member(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.members, id)
}

func (s *servers) Leads() bool                               { return true }
func (s *servers) Copying(context.Context) ([]string, error) { return nil, nil }

func (s *servers) MayRemove(context.Context, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.no
}

func (s *servers) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.members = slices.DeleteFunc(s.members, func(m string) bool { return m == id })
	s.removed = append(s.removed, id)
	return nil
}

func (s *servers) set(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// mustServe joins with a NATS server in the node.
func mustServe(t *testing.T, store kv.Store, id string, all cluster.Servers, told func(time.Time)) *cluster.Members {
	t.Helper()
	m, err := cluster.New(t.Context(), cluster.Config{Store: store, Shared: true, Servers: all, Removed: told,
		Self: cluster.Node{ID: id, Server: id + ":6222", Started: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func wantRemoval(t *testing.T, m *cluster.Members, id, nats, server string) {
	t.Helper()
	got, err := m.Remove(t.Context(), id)
	if err != nil || got.ID != id || got.State != "removed" || got.NATS != nats || got.Server != server || got.Copying == nil {
		t.Errorf("remove %s: got %+v, %v", id, got, err)
	}
}

func wantNoRemoval(t *testing.T, m *cluster.Members, id string, code host.Code, why string) {
	t.Helper()
	if got, err := m.Remove(t.Context(), id); host.CodeOf(err) != code || !contains(err, why) {
		t.Errorf("remove %s: got %+v, %v, want %q", id, got, err, why)
	}
}

// TestRemove removes nodes that have a server in them, and one that has none.
func TestRemove(t *testing.T) {
	store := newStore(t)
	all := &servers{members: []string{"a", "b", "old"}}
	a := mustServe(t, store, "a", all, nil)
	b := mustServe(t, store, "b", all, nil)
	client := mustJoin(t, store, "client", nil)
	eventually(t, "all are there", func() bool { return len(states(t, a)) == 3 && states(t, client)["b"] == cluster.Ready })
	wantNoRemoval(t, a, "a", host.CodeState, "it is the one that was asked")
	wantNoRemoval(t, a, "b", host.CodeState, "it runs")
	wantNoRemoval(t, a, "client", host.CodeState, "it runs")
	wantNoRemoval(t, a, "c", host.CodeNotFound, "there is no node")
	wantNoRemoval(t, a, string(make([]byte, 5000)), host.CodeNotFound, "there is no node")
	if err := a.Drain(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if got := states(t, a)["b"]; got != cluster.Behind {
		t.Errorf("a node with a server that has ended: got %q, want behind", got)
	}
	wantNoRemoval(t, client, "b", host.CodeState, "another node with one takes out")
	refusal := &natsserver.RefusedError{}
	all.set(func() { all.no = refusal })
	wantNoRemoval(t, a, "b", host.CodeState, "node b is not removed")
	if err := cluster.MayStart(t.Context(), store, "b"); err != nil {
		t.Errorf("a node whose removal was refused: %v", err)
	}
	all.set(func() { all.no, all.broken = nil, errors.New("no answer") })
	wantNoRemoval(t, a, "b", host.CodeUnavailable, "it is tried again every minute")
	all.set(func() { all.no, all.broken = refusal, nil })
	for range 2 {
		wantRemoval(t, a, "b", cluster.ServerRemoved, "b:6222")
	}
	if got := states(t, client); len(got) != 2 {
		t.Errorf("after it was removed: got %v", got)
	}
	if err := cluster.MayStart(t.Context(), store, "b"); err == nil || !contains(err, "was removed from its cluster on 2") {
		t.Errorf("start: got %v", err)
	}
	all.set(func() { all.no = nil })
	wantRemoval(t, a, "old", cluster.ServerRemoved, "") // of a version that did not say so
	client.Close()
	wantNoRemoval(t, a, "client", host.CodeNotFound, "there is no node")
}

// TestRemoveRecord has nodes without NATS servers in them: of a cluster that has those
// elsewhere, and of one that has others with.
func TestRemoveRecord(t *testing.T) {
	store := newStore(t)
	a := mustJoin(t, store, "a", nil)
	silent := func() {
		t.Helper()
		if _, err := store.Put(t.Context(), "node/nodes/silent", []byte(`{"id": "silent", "seen": "2020-01-01T00:00:00Z"}`), kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	silent()
	wantRemoval(t, a, "silent", cluster.ServerElsewhere, "")
	wantNoRemoval(t, a, "silent", host.CodeNotFound, "there is no node")
	if err := cluster.MayStart(t.Context(), store, "silent"); err != nil {
		t.Errorf("start: got %v", err)
	}
	b := mustServe(t, store, "b", &servers{members: []string{"b"}}, nil)
	eventually(t, "b is there", func() bool { return states(t, a)["b"] == cluster.Ready })
	for _, m := range []*cluster.Members{a, b} {
		silent()
		wantRemoval(t, m, "silent", cluster.ServerNone, "")
	}
	alone, err := cluster.New(t.Context(), cluster.Config{Store: newStore(t), Self: cluster.Node{ID: "alone"}})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	wantNoRemoval(t, alone, "b", host.CodeState, "no others beside it")
}

// TestRemovedComesBack has a node run, cut off, while it is removed: it is told, and its
// server is kept out.
func TestRemovedComesBack(t *testing.T) {
	store := newStore(t)
	told := make(chan time.Time, 1)
	b := mustServe(t, store, "b", &servers{}, func(since time.Time) { told <- since })
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if _, err := store.Put(t.Context(), "node/removed/b", []byte(`{"since": "2026-01-02T03:04:05Z"}`), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := <-told; !got.Equal(since) {
		t.Errorf("got %v, want %v", got, since)
	}
	if !b.Removed() || b.Drained() {
		t.Errorf("it is removed: %v, drained: %v", b.Removed(), b.Drained())
	}
	all := &servers{members: []string{"a", "b"}}
	a := mustServe(t, store, "a", all, nil)
	eventually(t, "its server is taken out again", func() bool { return !all.Member("b") })
	if got := states(t, a); len(got) != 1 {
		t.Errorf("got %v, want a alone", got)
	}
	if err := cluster.MayStart(t.Context(), store, "b"); err == nil || !contains(err, "on 2026-01-02 03:04 UTC") {
		t.Errorf("start: got %v", err)
	}
}
