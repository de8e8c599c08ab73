package kv_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/space"
)

// behind is a Store that has nothing, and of which the truth is elsewhere.
type behind struct {
	kv.Store
	truth kv.Store
}

func (s behind) GetStrong(ctx context.Context, key string) (kv.Entry, error) {
	return s.truth.Get(ctx, key)
}

func (s behind) Sync(ctx context.Context) error {
	e, err := s.truth.Get(ctx, "a/b/k")
	if err == nil {
		_, err = s.Put(ctx, e.Key, e.Value, kv.PutOptions{})
	}
	return err
}

// A Store is what the kit says also with strong reads, if it has one copy.
func TestStrongStore(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		return kv.Strong(memkv.New(memkv.Config{Now: now}))
	})
}

func TestGetStrong(t *testing.T) {
	guard, err := space.New(space.Config{Dir: t.TempDir(), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	truth := memkv.New(memkv.Config{})
	if _, err := truth.Put(t.Context(), "a/b/k", []byte("v"), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	sub := kv.Sub(kv.Sub(guard.Store(behind{memkv.New(memkv.Config{}), truth}), "a/"), "b/")
	if _, err := sub.Get(t.Context(), "k"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get: got %v, want ErrNotFound", err)
	}
	if e, err := kv.GetStrong(t.Context(), sub, "k"); err != nil || e.Key != "k" || string(e.Value) != "v" {
		t.Errorf("GetStrong: got %+v, %v", e, err)
	}
	strong := kv.Strong(sub)
	if e, err := strong.Get(t.Context(), "k"); err != nil || e.Key != "k" {
		t.Errorf("Get of a strong store: got %+v, %v", e, err)
	}
	if page, err := strong.List(t.Context(), kv.ListOptions{}); err != nil || len(page.Entries) != 1 || page.Entries[0].Key != "k" {
		t.Errorf("List of a strong store: got %+v, %v", page, err)
	}
	if e, err := kv.GetStrong(t.Context(), kv.Sub(truth, "a/b/"), "k"); err != nil || e.Key != "k" {
		t.Errorf("GetStrong where Get knows all: got %+v, %v", e, err)
	}
	sub.Close()
	if _, err := kv.GetStrong(t.Context(), sub, "k"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}
