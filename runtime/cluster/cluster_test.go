package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/cluster"
)

func newStore(t *testing.T) kv.Store {
	s := memkv.New(memkv.Config{})
	t.Cleanup(func() { s.Close() })
	return s
}

func mustJoin(t *testing.T, store kv.Store, id string, told func(bool)) *cluster.Members {
	t.Helper()
	m, err := cluster.New(t.Context(), cluster.Config{Store: store, Shared: true, Drained: told,
		Self: cluster.Node{ID: id, HTTP: "127.0.0.1:1", Version: "1.2.3", Started: time.Now()},
		Load: func() cluster.Load { return cluster.Load{Requests: 1.5, Concurrency: 2, Memory: 3} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// states are what a node knows of all of them.
func states(t *testing.T, m *cluster.Members) map[string]string {
	t.Helper()
	list, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, n := range list {
		got[n.ID] = n.State
	}
	return got
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestMembers(t *testing.T) {
	store := newStore(t)
	a, b := mustJoin(t, store, "a", nil), mustJoin(t, store, "b", nil)
	eventually(t, "a and b see each other", func() bool { return states(t, a)["b"] == cluster.Ready && states(t, b)["a"] == cluster.Ready })
	list, err := a.List(t.Context())
	if err != nil || len(list) != 2 || list[1].Load.Requests != 1.5 || list[1].Format != cluster.Format || list[1].Version != "1.2.3" {
		t.Errorf("got %+v, %v", list, err)
	}
	silent, err := json.Marshal(cluster.Node{ID: "silent", State: cluster.Ready, Seen: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "node/nodes/silent", silent, kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := states(t, a)["silent"]; got != cluster.Behind {
		t.Errorf("of a node that says nothing: got %q, want behind", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got, there := states(t, a)["b"]; there {
		t.Errorf("of a node that ended: got %q, want nothing", got)
	}
}

// TestDrain drains nodes by others, which holds over a restart.
func TestDrain(t *testing.T) {
	store := newStore(t)
	var mu sync.Mutex
	var told []bool
	a := mustJoin(t, store, "a", nil)
	b := mustJoin(t, store, "b", func(drained bool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, drained)
	})
	eventually(t, "a sees b", func() bool { return states(t, a)["b"] == cluster.Ready })
	for range 2 {
		if err := a.Drain(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "b is drained", b.Drained)
	b.Close()
	if b = mustJoin(t, store, "b", nil); !b.Drained() || a.Drained() {
		t.Error("after a restart b is to be drained, and nobody else")
	}
	eventually(t, "a sees that", func() bool { return states(t, a)["b"] == cluster.Draining })
	for range 2 {
		if err := a.Resume(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "b is resumed", func() bool { return !b.Drained() })
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 1 || !told[0] {
		t.Errorf("the first b was told %v, want true alone", told)
	}
}

func TestUnknownNode(t *testing.T) {
	a := mustJoin(t, newStore(t), "a", nil)
	for name, do := range map[string]func(context.Context, string) error{"drain": a.Drain, "resume": a.Resume} {
		for _, id := range []string{"b", "", "../a", string(make([]byte, 5000))} {
			if err := do(t.Context(), id); host.CodeOf(err) != host.CodeNotFound && !errors.Is(err, kv.ErrSize) {
				t.Errorf("%s %.10q: got %v, want not found", name, id, err)
			}
		}
	}
}

// TestAlone has nothing in the store of a node that shares it with nobody, unless it
// is drained.
func TestAlone(t *testing.T) {
	store := newStore(t)
	m, err := cluster.New(t.Context(), cluster.Config{Store: store, Self: cluster.Node{ID: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := states(t, m); len(got) != 1 || got["a"] != cluster.Ready {
		t.Errorf("got %v", got)
	}
	if page, err := store.List(t.Context(), kv.ListOptions{}); err != nil || len(page.Entries) != 0 {
		t.Errorf("the store has %v, %v", page.Entries, err)
	}
	if err := m.Drain(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is drained", func() bool { return states(t, m)["a"] == cluster.Draining })
}

func TestJoin(t *testing.T) {
	store := newStore(t)
	if key, err := cluster.Key(t.Context(), store); key != "" || err != nil {
		t.Errorf("of a new cluster: got key %q, %v", key, err)
	}
	for _, tt := range []struct{ key, previous, want string }{
		{"first", "", ""},
		{"first", "", ""},
		{"other", "", "sealed under key first, and this node has key other"},
		{"", "", "sealed under key first, and this node has no key"},
		{"second", "other", "sealed under key first"},
		{"second", "first", ""},
		{"first", "", "sealed under key second"},
		{"second", "first", ""},
	} {
		err := cluster.Join(t.Context(), store, tt.key, tt.previous)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !contains(err, tt.want)) {
			t.Errorf("key %q after %q: got %v, want %q", tt.key, tt.previous, err, tt.want)
		}
	}
	if key, err := cluster.Key(t.Context(), store); key != "second" || err != nil {
		t.Errorf("got key %q, %v, want second", key, err)
	}
}

// TestFormats has nodes of this version meet what a newer one wrote.
func TestFormats(t *testing.T) {
	store := newStore(t)
	put := func(record string) {
		t.Helper()
		if _, err := store.Put(t.Context(), "node/cluster", []byte(record), kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put(`{"format": 2, "key": "k"}`)
	if err := cluster.Join(t.Context(), store, "k", ""); err == nil || !contains(err, "newer Mayfly (format 2, this one knows 1)") {
		t.Errorf("a newer format: got %v", err)
	}
	put(`{"format": 1, "key": "k", "colour": "green"}`)
	if err := cluster.Join(t.Context(), store, "l", "k"); err != nil {
		t.Fatal(err)
	}
	e, err := store.Get(t.Context(), "node/cluster")
	if err != nil || !json.Valid(e.Value) || !contains(errors.New(string(e.Value)), `"colour":"green"`) {
		t.Errorf("what a newer version added: got %s, %v", e.Value, err)
	}
	put(`{"format": "x"}`)
	if err := cluster.Join(t.Context(), store, "l", ""); err == nil {
		t.Error("a damaged record was taken")
	}
}

// TestJoinTogether has nodes with keys of their own begin a cluster: one of them
// does.
func TestJoinTogether(t *testing.T) {
	store := newStore(t)
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = cluster.Join(context.Background(), store, string(rune('a'+i)), "") })
	}
	all.Wait()
	joined := 0
	for _, err := range errs {
		if _, other := errors.AsType[*cluster.OtherKeyError](err); err == nil {
			joined++
		} else if !other {
			t.Error(err)
		}
	}
	if joined != 1 {
		t.Errorf("%d nodes joined with different keys, want 1", joined)
	}
}
