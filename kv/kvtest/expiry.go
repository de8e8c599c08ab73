package kvtest

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

func testExpiry(t *testing.T, f *fixture) {
	expires := f.clock.Now().Add(time.Second + 300*time.Microsecond)
	whole := time.UnixMilli(expires.UnixMilli())
	revision := f.mustPut(t, "short", "v", kv.PutOptions{Expires: expires})
	f.mustPut(t, "long", string(pattern(100<<10)), kv.PutOptions{Expires: expires.Add(time.Hour)})
	f.mustPut(t, "never", "v", kv.PutOptions{})
	wantEntry(t, f.mustGet(t, "short"), kv.Entry{Key: "short", Value: []byte("v"), Revision: revision, Expires: whole})

	f.clock.advance(time.Second - time.Millisecond)
	wantKeys(t, f.mustList(t, kv.ListOptions{}), "long", "never", "short")
	f.clock.advance(time.Millisecond)
	_, err := f.Get(t.Context(), "short")
	wantErr(t, "Get of an expired key", err, kv.ErrNotFound)
	wantKeys(t, f.mustList(t, kv.ListOptions{}), "long", "never")
	wantKeys(t, f.mustList(t, kv.ListOptions{Prefix: "s"}))

	f.mustPut(t, "long", "v", kv.PutOptions{}) // takes the expiry away
	f.clock.advance(2 * time.Hour)
	wantKeys(t, f.mustList(t, kv.ListOptions{}), "long", "never")
}

func testExpiryConditions(t *testing.T, f *fixture) {
	now := f.clock.Now()
	w := f.mustWatch(t, "")
	dead := f.mustPut(t, "k", "1", kv.PutOptions{Expires: now.Add(time.Second)})
	f.clock.advance(time.Second)
	_, err := f.Put(t.Context(), "k", nil, kv.PutOptions{If: kv.IfRevision(dead)})
	wantErr(t, "Put if the revision that expired", err, kv.ErrConflict)
	f.mustDelete(t, "k") // no event: it was gone
	f.mustPut(t, "k", "2", kv.PutOptions{If: kv.IfRevision(0)})

	removal := f.mustPut(t, "k", "3", kv.PutOptions{Expires: now})
	_, err = f.Get(t.Context(), "k")
	wantErr(t, "Get after Put with a time that has passed", err, kv.ErrNotFound)
	f.mustPut(t, "k", "4", kv.PutOptions{Expires: now}) // no event either
	for _, want := range []string{"1", "2", ""} {
		ev := mustNext(t, w)
		if string(ev.Entry.Value) != want || ev.Deleted != (want == "") {
			t.Errorf("got event %s, deleted %v, want value %q", show(ev.Entry), ev.Deleted, want)
		}
		if ev.Deleted && ev.Entry.Revision != removal {
			t.Errorf("got revision %d, want %d", ev.Entry.Revision, removal)
		}
	}
	f.mustPut(t, "last", "5", kv.PutOptions{})
	if ev := mustNext(t, w); ev.Entry.Key != "last" {
		t.Errorf("got event %s, want that of last", show(ev.Entry))
	}
}
