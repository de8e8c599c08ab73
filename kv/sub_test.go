package kv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// TestSubIsolation looks at the parent beside what the kit checks on a Sub.
func TestSubIsolation(t *testing.T) {
	ctx := t.Context()
	parent := memkv.New(memkv.Config{})
	defer parent.Close()
	sub := kv.Sub(parent, "ns/1/")
	for _, key := range []string{"ns/1/", "ns/10/k", "ns/1"} { // the prefix itself is no key of sub
		if _, err := parent.Put(ctx, key, nil, kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sub.Put(ctx, "k", []byte("v"), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if e, err := parent.Get(ctx, "ns/1/k"); err != nil || string(e.Value) != "v" {
		t.Errorf("parent has %q, %v, want v", e.Value, err)
	}
	if page, err := sub.List(ctx, kv.ListOptions{}); err != nil || len(page.Entries) != 1 || page.Entries[0].Key != "k" {
		t.Errorf("List = %+v, %v, want k alone", page, err)
	}
	if _, err := sub.Get(ctx, ""); !errors.Is(err, kv.ErrSize) {
		t.Errorf("Get of the empty key: got %v, want ErrSize", err)
	}
	if err := sub.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := parent.Get(ctx, "ns/1/k"); err != nil {
		t.Errorf("Get from the parent after Close of sub: %v", err)
	}
}

func ExampleSub() {
	store := memkv.New(memkv.Config{})
	defer store.Close()
	users := kv.Sub(store, "user/")
	ctx := context.Background()
	users.Put(ctx, "42", []byte("Ada"), kv.PutOptions{})
	e, err := store.Get(ctx, "user/42")
	fmt.Println(e.Key, string(e.Value), err)
	// Output: user/42 Ada <nil>
}

// syncing counts how often it was brought up to date.
type syncing struct {
	kv.Store
	synced int
}

func (s *syncing) Sync(context.Context) error {
	s.synced++
	return nil
}

func TestSubSyncs(t *testing.T) {
	parent := &syncing{Store: memkv.New(memkv.Config{})}
	sub := kv.Sub(kv.Sub(parent, "a/"), "b/")
	if err := kv.Sync(t.Context(), sub); err != nil || parent.synced != 1 {
		t.Errorf("got %v, and %d times", err, parent.synced)
	}
	if err := kv.Sync(t.Context(), parent.Store); err != nil {
		t.Errorf("a store that is no copy: got %v", err)
	}
	sub.Close()
	if err := kv.Sync(t.Context(), sub); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}
