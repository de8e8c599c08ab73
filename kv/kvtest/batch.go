package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func testBatch(t *testing.T, f *fixture) {
	long := bytes.Repeat([]byte("long"), 50_000)
	f.mustPut(t, "gone", "1", kv.PutOptions{})
	before := f.mustPut(t, "over", string(long), kv.PutOptions{Expires: f.clock.Now().Add(1e9)})
	w, err := f.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = kv.Batch(t.Context(), f.Store, []kv.Write{
		{Key: "new", Value: long, Metadata: []byte("m")},
		{Key: "gone", Delete: true},
		{Key: "absent", Delete: true},
		{Key: "over", Value: []byte("short")},
	}, false)
	if err != nil {
		t.Fatalf("Batch: %v", err)
	}
	deleted := map[string]bool{}
	for range 3 {
		ev, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		deleted[ev.Entry.Key] = ev.Deleted
	}
	if want := map[string]bool{"new": false, "gone": true, "over": false}; !maps.Equal(deleted, want) {
		t.Errorf("got events %v, want %v", deleted, want)
	}
	f.clock.advance(2e9)
	for key, want := range map[string]string{"new": string(long), "over": "short"} {
		if e, err := f.Get(t.Context(), key); err != nil || string(e.Value) != want || e.Revision <= before {
			t.Errorf("%s has %d bytes, revision %d, %v; want %d bytes", key, len(e.Value), e.Revision, err, len(want))
		}
	}
	if _, err := f.Get(t.Context(), "gone"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("gone: %v", err)
	}
	testBatchBounds(t, f)
}

func testBatchBounds(t *testing.T, f *fixture) {
	many := make([]kv.Write, kv.MaxWrites+1)
	for i := range many {
		many[i] = kv.Write{Key: fmt.Sprint(i)}
	}
	half := bytes.Repeat([]byte("h"), kv.MaxWriteBytes/2)
	for name, writes := range map[string][]kv.Write{
		"too many": many, "too long": {{Key: "a", Value: half}, {Key: "b", Value: half}}, "no key": {{Value: half}},
	} {
		if err := kv.Batch(t.Context(), f.Store, writes, true); !errors.Is(err, kv.ErrSize) {
			t.Errorf("%s: %v, want ErrSize", name, err)
		}
	}
	if _, ok := f.Store.(kv.Batcher); !ok {
		many = many[:11] // they take their time
	}
	if err := kv.Batch(t.Context(), f.Store, many[1:], true); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	if err := kv.Batch(t.Context(), f.Store, nil, true); err != nil {
		t.Errorf("none: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := kv.Batch(ended, f.Store, []kv.Write{{Key: "late"}}, true); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
}
