package kvtest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

func testListOrder(t *testing.T, f *fixture) {
	for _, key := range []string{"b", "a/2", "a", "a0", "a/10", "B", "a/"} {
		f.mustPut(t, key, "v", kv.PutOptions{})
	}
	wantKeys(t, f.mustList(t, kv.ListOptions{}), "B", "a", "a/", "a/10", "a/2", "a0", "b")
	wantKeys(t, f.mustList(t, kv.ListOptions{Prefix: "a/"}), "a/", "a/10", "a/2")
	wantKeys(t, f.mustList(t, kv.ListOptions{Prefix: "b"}), "b")
	wantKeys(t, f.mustList(t, kv.ListOptions{Prefix: "c"}))
}

func testListPages(t *testing.T, f *fixture) {
	const n = kv.DefaultLimit + 5
	want := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		want[i] = fmt.Sprintf("key/%04d", i)
		wg.Go(func() { f.put(t, want[i], "v") })
	}
	f.mustPut(t, "kez", "v", kv.PutOptions{})
	wg.Wait()
	for _, limit := range []int{0, -1, 1, 7, n - 1, n, n + 1} {
		if got := listAll(t, f, kv.ListOptions{Prefix: "key/", Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("limit %d: got %d keys, want %d in order", limit, len(got), n)
		}
	}
	page := f.mustList(t, kv.ListOptions{})
	if len(page.Entries) != kv.DefaultLimit || page.Cursor == "" {
		t.Errorf("got %d entries, cursor %q: want %d and more", len(page.Entries), page.Cursor, kv.DefaultLimit)
	}
	if e := page.Entries[3]; e.Value != nil || e.Revision == 0 {
		t.Errorf("got entry %s, want a revision and no value", show(e))
	}
	// A full page that is the last one says so.
	page = f.mustList(t, kv.ListOptions{Prefix: "key/", Limit: n})
	if page.Cursor != "" {
		t.Errorf("got cursor %q on the last page", page.Cursor)
	}
}

// listAll follows the cursors. Every page but the last one is full.
func listAll(t *testing.T, f *fixture, opts kv.ListOptions) []string {
	t.Helper()
	var keys []string
	for {
		page := f.mustList(t, opts)
		if opts.Limit > 0 && page.Cursor != "" && len(page.Entries) != opts.Limit {
			t.Fatalf("got a page of %d with a cursor, want %d", len(page.Entries), opts.Limit)
		}
		keys = append(keys, keysOf(page)...)
		if page.Cursor == "" {
			return keys
		}
		opts.Cursor = page.Cursor
	}
}

func testListCursors(t *testing.T, f *fixture) {
	for _, key := range []string{"a/1", "a/2", "b/1", "b/2"} {
		f.mustPut(t, key, "v", kv.PutOptions{})
	}
	cursor := f.mustList(t, kv.ListOptions{Prefix: "a/", Limit: 1}).Cursor
	refused := func(what, prefix, cursor string) {
		t.Helper()
		_, err := f.List(t.Context(), kv.ListOptions{Prefix: prefix, Cursor: cursor})
		wantErr(t, what, err, kv.ErrCursor)
	}
	for _, prefix := range []string{"", "a", "b/", "a/1"} {
		refused("cursor with prefix "+prefix, prefix, cursor)
	}
	for i := range cursor {
		changed := []byte(cursor)
		changed[i] ^= 1
		refused(fmt.Sprintf("cursor with byte %d changed", i), "a/", string(changed))
		refused(fmt.Sprintf("cursor cut to %d bytes", i+1), "a/", cursor[:i+1]+"!")
	}
	for _, forged := range []string{"a/1", "!", cursor + "A", cursor + "\n", cursor[1:], strings.Repeat("A", 9000)} {
		refused("forged cursor", "a/", forged)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(cursor); strings.Contains(string(raw), "a/") {
		t.Errorf("cursor %q shows the prefix", raw)
	}
	wantKeys(t, f.mustList(t, kv.ListOptions{Prefix: "a/", Cursor: cursor}), "a/2")
}

func testListDeletes(t *testing.T, f *fixture) {
	for i := range 6 {
		f.mustPut(t, fmt.Sprint(i), "v", kv.PutOptions{Expires: f.clock.Now().Add(time.Hour)})
	}
	page := f.mustList(t, kv.ListOptions{Limit: 2})
	wantKeys(t, page, "0", "1")
	for _, key := range []string{"0", "1", "2"} { // the cursor's own key too
		f.mustDelete(t, key)
	}
	f.mustPut(t, "00", "before the cursor", kv.PutOptions{})
	f.mustPut(t, "11", "after the cursor", kv.PutOptions{})
	page = f.mustList(t, kv.ListOptions{Limit: 2, Cursor: page.Cursor})
	wantKeys(t, page, "11", "3")
	f.clock.advance(time.Hour)
	page = f.mustList(t, kv.ListOptions{Limit: 2, Cursor: page.Cursor})
	wantKeys(t, page)
	if page.Cursor != "" {
		t.Error("got a cursor after the last live entry")
	}
}

// testListConsistent keeps one of two tokens in the store at any time, by
// writing the new one before deleting the old one; a page with neither never
// existed.
func testListConsistent(t *testing.T, f *fixture) {
	f.mustPut(t, "token/a", "", kv.PutOptions{})
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		from, to := "token/a", "token/b"
		for !stop.Load() {
			f.put(t, to, "")
			if err := f.Delete(background(), from, kv.DeleteOptions{}); err != nil {
				t.Errorf("Delete: %v", err)
			}
			from, to = to, from
		}
	})
	for range 200 {
		if page := f.mustList(t, kv.ListOptions{Prefix: "token/"}); len(page.Entries) == 0 {
			t.Error("got a page that never existed")
			break
		}
	}
	stop.Store(true)
	wg.Wait()
}
