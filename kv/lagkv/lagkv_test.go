package lagkv_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/lagkv"
)

func none() time.Duration { return 0 }

func TestStore(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		c := lagkv.New(now)
		other := c.Join(none)
		t.Cleanup(func() { other.Close() })
		return c.Join(nil)
	})
}

func mustPut(t *testing.T, s kv.Store, key, value string, cond kv.Condition) uint64 {
	t.Helper()
	revision, err := s.Put(t.Context(), key, []byte(value), kv.PutOptions{If: cond})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func get(t *testing.T, s kv.Store, key string) (string, uint64) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		t.Fatal(err)
	}
	return string(e.Value), e.Revision
}

// TestBehind has a node read what was, compare with what is, and catch up.
func TestBehind(t *testing.T) {
	c := lagkv.New(nil)
	a, b := c.Join(nil), c.Join(nil)
	first := mustPut(t, a, "k", "1", kv.IfRevision(0))
	if got, _ := get(t, b, "k"); got != "" {
		t.Errorf("b has %q before it was synced", got)
	}
	if _, err := b.Put(t.Context(), "k", nil, kv.PutOptions{If: kv.IfRevision(0)}); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("got %v, want a conflict with what b has not seen", err)
	}
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, revision := get(t, b, "k"); got != "1" || revision != first {
		t.Errorf("got %q at %d, want 1 at %d", got, revision, first)
	}
	if err := a.Delete(t.Context(), "k", kv.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	mustPut(t, b, "other", "x", kv.AnyRevision)
	if got, _ := get(t, b, "k"); got != "" {
		t.Errorf("b has %q after a write of its own, which came later", got)
	}
}

func TestCut(t *testing.T) {
	c := lagkv.New(nil)
	a, b := c.Join(nil), c.Join(none)
	defer b.Close()
	b.Cut(true)
	mustPut(t, a, "k", "1", kv.AnyRevision)
	_, err := b.Put(t.Context(), "k", nil, kv.PutOptions{})
	for _, err := range []error{err, b.Sync(t.Context()), b.Delete(t.Context(), "k", kv.DeleteOptions{})} {
		if !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
	if got, _ := get(t, b, "k"); got != "" {
		t.Errorf("b has %q although it is cut off", got)
	}
	w, err := b.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b.Cut(false)
	if ev, err := w.Next(t.Context()); err != nil || ev.Entry.Key != "k" {
		t.Errorf("got %+v, %v once it is back", ev, err)
	}
}
