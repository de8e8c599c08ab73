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
