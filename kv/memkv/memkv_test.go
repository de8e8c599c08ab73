package memkv_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

func TestStore(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		return memkv.New(memkv.Config{Now: now})
	})
}

func TestChanges(t *testing.T) {
	kvtest.RunChanges(t, func(t *testing.T, now func() time.Time) kv.Store {
		return memkv.New(memkv.Config{Now: now})
	})
}

// TestSub runs the kit on a view below a prefix, with neighbours on both sides.
func TestSub(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		parent := memkv.New(memkv.Config{Now: now})
		for _, key := range []string{"ns", "ns/", "ns/0", "ns0", "ns/10"} {
			if _, err := parent.Put(t.Context(), key, []byte("neighbour"), kv.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return kv.Sub(parent, "ns/1/")
	})
}

func TestBlobs(t *testing.T) {
	kvtest.RunBlobs(t, func(t *testing.T) kv.Blobs { return memkv.NewBlobs() })
}

func Benchmark(b *testing.B) {
	kvtest.Bench(b, func(b *testing.B) kv.Store { return memkv.New(memkv.Config{}) })
}
