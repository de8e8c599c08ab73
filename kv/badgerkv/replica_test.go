package badgerkv_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
)

// source gives revisions to a Replica, every third of them, so that it is a kv.Store.
type source struct {
	*badgerkv.Replica
	now func() time.Time
	mu  sync.Mutex // held while a change is made
}

func (s *source) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	e := kv.Entry{Key: key, Value: value, Metadata: opts.Metadata}
	if !opts.Expires.IsZero() {
		e.Expires = time.UnixMilli(opts.Expires.UnixMilli())
	}
	return s.change(ctx, badgerkv.Change{Entry: e, Deleted: e.ExpiredAt(s.now())}, opts.If)
}

func (s *source) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	_, err := s.change(ctx, badgerkv.Change{Entry: kv.Entry{Key: key}, Deleted: true}, opts.If)
	return err
}

func (s *source) change(ctx context.Context, c badgerkv.Change, cond kv.Condition) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := kv.CheckSize(c.Entry.Key, c.Entry.Value, c.Entry.Metadata); err != nil {
		return 0, err
	}
	old, err := s.Get(ctx, c.Entry.Key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return 0, err
	}
	if !cond.Holds(old.Revision) {
		return 0, kv.ErrConflict
	}
	c.Entry.Revision = s.Position().Revision + 3
	return c.Entry.Revision, s.Apply(ctx, badgerkv.Position{Revision: c.Entry.Revision, Mark: fmt.Append(nil, c.Entry.Revision)}, c)
}

func mustOpenReplica(t testing.TB, cfg badgerkv.Config) *badgerkv.Replica {
	t.Helper()
	r, err := badgerkv.OpenReplica(cfg)
	if err != nil {
		t.Fatalf("OpenReplica: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestReplica(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		cfg := badgerkv.Config{Dir: t.TempDir(), Now: now, NoSync: true, CollectEvery: time.Millisecond}
		return &source{Replica: mustOpenReplica(t, cfg), now: now}
	})
}

func mustApply(t *testing.T, r *badgerkv.Replica, c badgerkv.Change, mark string) {
	t.Helper()
	if err := r.Apply(t.Context(), badgerkv.Position{Revision: c.Entry.Revision, Mark: []byte(mark)}, c); err != nil {
		t.Fatalf("Apply(%+v): %v", c, err)
	}
}

func TestReplicaPosition(t *testing.T) {
	dir := t.TempDir()
	r := mustOpenReplica(t, badgerkv.Config{Dir: dir})
	if p := r.Position(); p.Revision != 0 || p.Mark != nil {
		t.Errorf("new: got %+v", p)
	}
	mustApply(t, r, badgerkv.Change{Entry: kv.Entry{Key: "k", Value: []byte("v"), Revision: 1 << 40}}, "one")
	mustApply(t, r, badgerkv.Change{Entry: kv.Entry{Key: "gone", Revision: 1<<40 + 5}, Deleted: true}, "two")
	for _, revision := range []uint64{0, 1<<40 + 4} {
		if err := r.Apply(t.Context(), badgerkv.Position{Revision: revision}, badgerkv.Change{Entry: kv.Entry{Key: "k", Revision: revision}}); err == nil {
			t.Errorf("revision %d was applied", revision)
		}
	}
	r.Close()
	r = mustOpenReplica(t, badgerkv.Config{Dir: dir})
	if p := r.Position(); p.Revision != 1<<40+5 || string(p.Mark) != "two" {
		t.Errorf("got %+v", p)
	}
	for key, want := range map[string]uint64{"k": 1 << 40, "gone": 0, "absent": 0} {
		if got, err := r.Stored(t.Context(), key); err != nil || got != want {
			t.Errorf("Stored(%s): got %d, %v, want %d", key, got, err, want)
		}
	}
}

func TestReplicaDamage(t *testing.T) {
	r := mustOpenReplica(t, badgerkv.Config{Dir: t.TempDir()})
	s := &source{Replica: r, now: time.Now}
	mustApply(t, r, badgerkv.Change{Entry: kv.Entry{Key: "k", Value: []byte("v"), Revision: 1}}, "")
	mustApply(t, r, badgerkv.Change{Entry: kv.Entry{Key: "k", Revision: 2}, Damaged: true}, "")
	if _, err := r.Get(t.Context(), "k"); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("Get: got %v, want ErrCorrupt", err)
	}
	if _, err := r.List(t.Context(), kv.ListOptions{}); !errors.Is(err, kv.ErrCorrupt) || !strings.Contains(err.Error(), `"k"`) {
		t.Errorf("List: got %v, want ErrCorrupt with the key", err)
	}
	mustApply(t, r, badgerkv.Change{Entry: kv.Entry{Key: "k", Value: []byte("w"), Revision: 3}}, "")
	if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "w" {
		t.Errorf("written anew: got %s, %v", e.Value, err)
	}
}

// A directory of the one kind is not opened as the other.
func TestReplicaKinds(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, badgerkv.Config{Dir: dir})
	if _, err := s.Put(t.Context(), "k", nil, kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := badgerkv.OpenReplica(badgerkv.Config{Dir: dir}); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("OpenReplica: got %v, want ErrCorrupt", err)
	}
	dir = t.TempDir()
	r := mustOpenReplica(t, badgerkv.Config{Dir: dir})
	mustApply(t, r, badgerkv.Change{Entry: kv.Entry{Key: "k", Revision: 1}}, "")
	r.Close()
	if _, err := badgerkv.Open(badgerkv.Config{Dir: dir}); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("Open: got %v, want ErrCorrupt", err)
	}
}
