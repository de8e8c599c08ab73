package kvtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// testLocal has GetLocal give what Get gives, or leave it to that.
func testLocal(t *testing.T, f *fixture) {
	if _, ok := f.Store.(kv.LocalReader); !ok {
		t.Skip("this store has nothing at hand")
	}
	f.mustPut(t, "short", "value", kv.PutOptions{Metadata: []byte("{}")})
	f.mustPut(t, "empty", "", kv.PutOptions{})
	f.mustPut(t, "long", strings.Repeat("v", 2<<20), kv.PutOptions{})
	f.mustPut(t, "gone", "value", kv.PutOptions{})
	f.mustDelete(t, "gone")
	f.mustPut(t, "old", "value", kv.PutOptions{Expires: f.clock.Now().Add(time.Minute)})
	f.clock.advance(time.Minute)
	at := 0
	for _, key := range []string{"short", "empty", "long", "gone", "old", "never", ""} {
		got, ok, err := kv.GetLocal(t.Context(), f.Store, key)
		if !ok {
			continue
		}
		at++
		want, wantErr := f.Get(t.Context(), key)
		if !errors.Is(err, wantErr) && !errors.Is(err, kv.ErrSize) {
			t.Errorf("%q: got %v, want %v as from Get", key, err, wantErr)
		}
		wantEntry(t, got, want)
	}
	if at < 4 {
		t.Errorf("only %d of the short entries are at hand", at)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok, err := kv.GetLocal(ended, f.Store, "short"); ok && !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: got %v, want %v", err, context.Canceled)
	}
}
