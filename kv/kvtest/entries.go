package kvtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func show(e kv.Entry) string {
	value := fmt.Sprintf("%.40q", e.Value)
	return fmt.Sprintf("{%q: %s (%d bytes), metadata %.40q, revision %d, expires %v}",
		e.Key, value, len(e.Value), e.Metadata, e.Revision, e.Expires)
}

func testReadWrite(t *testing.T, f *fixture) {
	for _, c := range []struct{ name, key, value, metadata string }{
		{"plain", "a", "value", ""},
		{"metadata", "b", "value", `{"x":1}`},
		{"empty value", "c", "", `{}`},
		{"overwritten", "a", "other", `{"y":2}`},
		{"overwritten by shorter", "a", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			revision := f.mustPut(t, c.key, c.value, kv.PutOptions{Metadata: []byte(c.metadata)})
			want := kv.Entry{Key: c.key, Value: []byte(c.value), Metadata: []byte(c.metadata), Revision: revision}
			got := f.mustGet(t, c.key)
			wantEntry(t, got, want)
			if (c.value == "") != (got.Value == nil) || (c.metadata == "") != (got.Metadata == nil) {
				t.Errorf("got value nil %v, metadata nil %v: only empty ones are nil", got.Value == nil, got.Metadata == nil)
			}
		})
	}
	f.mustDelete(t, "a")
	_, err := f.Get(t.Context(), "a")
	wantErr(t, "Get of a deleted key", err, kv.ErrNotFound)
	wantKeys(t, f.mustList(t, kv.ListOptions{}), "b", "c")
}

func testAbsent(t *testing.T, f *fixture) {
	_, err := f.Get(t.Context(), "no")
	wantErr(t, "Get", err, kv.ErrNotFound)
	f.mustDelete(t, "no")
	page := f.mustList(t, kv.ListOptions{})
	if len(page.Entries) != 0 || page.Cursor != "" {
		t.Errorf("got %+v, want an empty page", page)
	}
}

func testSizes(t *testing.T, f *fixture) {
	long := strings.Repeat("k", kv.MaxKey)
	ctx := t.Context()
	for _, key := range []string{"", long + "k"} {
		_, err := f.Get(ctx, key)
		wantErr(t, "Get", err, kv.ErrSize)
		_, err = f.Put(ctx, key, nil, kv.PutOptions{})
		wantErr(t, "Put", err, kv.ErrSize)
		wantErr(t, "Delete", f.Delete(ctx, key, kv.DeleteOptions{}), kv.ErrSize)
	}
	_, err := f.List(ctx, kv.ListOptions{Prefix: long + "k"})
	wantErr(t, "List", err, kv.ErrSize)
	_, err = f.Watch(ctx, long+"k")
	wantErr(t, "Watch", err, kv.ErrSize)
	_, err = f.Put(ctx, "k", make([]byte, kv.MaxValue+1), kv.PutOptions{})
	wantErr(t, "Put of a long value", err, kv.ErrSize)
	_, err = f.Put(ctx, "k", nil, kv.PutOptions{Metadata: make([]byte, kv.MaxMetadata+1)})
	wantErr(t, "Put of long metadata", err, kv.ErrSize)
	wantKeys(t, f.mustList(t, kv.ListOptions{}))
}

func testBinaryKeys(t *testing.T, f *fixture) {
	long := strings.Repeat("\xff", kv.MaxKey-64) // a store below a prefix has less room
	keys := []string{"\x00", "\x00\x00", "!badger!txn", "a/b\n", "h", "r", "v", "ünï", "\xfe", "\xff", "\xff\xff", long}
	for i, key := range keys {
		f.mustPut(t, key, fmt.Sprint(i), kv.PutOptions{Metadata: bytes.Repeat([]byte{0}, i)})
	}
	for i, key := range keys {
		if got := f.mustGet(t, key); string(got.Value) != fmt.Sprint(i) || len(got.Metadata) != i {
			t.Errorf("key %.20q: got %s", key, show(got))
		}
	}
	wantKeys(t, f.mustList(t, kv.ListOptions{}), keys...)
	wantKeys(t, f.mustList(t, kv.ListOptions{Prefix: "\xff"}), "\xff", "\xff\xff", long)
	for _, key := range keys {
		f.mustDelete(t, key)
	}
	wantKeys(t, f.mustList(t, kv.ListOptions{}))
}

// testLargeValues crosses the sizes at which implementations change how they
// store a value, up and down, on one key.
func testLargeValues(t *testing.T, f *fixture) {
	for _, size := range []int{10, 25 << 20, 1 << 10, 1<<10 + 1, 32 << 10, 1 << 20, kv.MaxValue, 0, 64 << 10} {
		value := pattern(size)
		metadata := fmt.Append(nil, size)
		revision, err := f.Put(t.Context(), "large", value, kv.PutOptions{Metadata: metadata})
		if err != nil {
			t.Fatalf("Put of %d bytes: %v", size, err)
		}
		want := kv.Entry{Key: "large", Value: value, Metadata: metadata, Revision: revision}
		wantEntry(t, f.mustGet(t, "large"), want)
		want.Value = nil
		page := f.mustList(t, kv.ListOptions{})
		if len(page.Entries) != 1 {
			t.Fatalf("got %d entries, want 1", len(page.Entries))
		}
		wantEntry(t, page.Entries[0], want)
	}
	f.mustDelete(t, "large")
	_, err := f.Get(t.Context(), "large")
	wantErr(t, "Get after Delete", err, kv.ErrNotFound)
}

// pattern makes size bytes of which no two nearby pages are equal.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func testCopiesSlices(t *testing.T, f *fixture) {
	for _, size := range []int{5, 64 << 10} {
		value, metadata := pattern(size), []byte("meta")
		w := f.mustWatch(t, "")
		if _, err := f.Put(t.Context(), "k", value, kv.PutOptions{Metadata: metadata}); err != nil {
			t.Fatal(err)
		}
		value[0], metadata[0] = 'X', 'X'
		ev, err := w.Next(t.Context())
		if err != nil || ev.Entry.Value[0] == 'X' || ev.Entry.Metadata[0] == 'X' {
			t.Errorf("the event shares memory with the caller of Put (%v)", err)
		}
		got := f.mustGet(t, "k")
		if got.Value[0] == 'X' || got.Metadata[0] == 'X' {
			t.Error("the store kept a slice of the caller")
		}
		got.Value[0], got.Metadata[0] = 'Y', 'Y'
		f.mustList(t, kv.ListOptions{}).Entries[0].Metadata[0] = 'Y'
		if got := f.mustGet(t, "k"); got.Value[0] == 'Y' || got.Metadata[0] == 'Y' {
			t.Error("the store returned a slice of its own")
		}
	}
}

func testContext(t *testing.T, f *fixture) {
	f.mustPut(t, "k", "before", kv.PutOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Get(ctx, "k")
	wantErr(t, "Get", err, context.Canceled)
	_, err = f.Put(ctx, "k", []byte("after"), kv.PutOptions{})
	wantErr(t, "Put", err, context.Canceled)
	wantErr(t, "Delete", f.Delete(ctx, "k", kv.DeleteOptions{}), context.Canceled)
	_, err = f.List(ctx, kv.ListOptions{})
	wantErr(t, "List", err, context.Canceled)
	_, err = f.Watch(ctx, "")
	wantErr(t, "Watch", err, context.Canceled)
	if got := f.mustGet(t, "k"); string(got.Value) != "before" {
		t.Errorf("got %s: a call that was cancelled changed it", show(got))
	}
}
