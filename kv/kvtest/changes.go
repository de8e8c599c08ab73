package kvtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// RunChanges tests that an implementation is a kv.ChangeLogger.
func RunChanges(t *testing.T, open Open) {
	run(t, open, []rule{
		{"Logged", testLogged},
		{"Rules", testChangeRules},
		{"Sizes", testChangeSizes},
		{"Keep", testChangesKept},
		{"Order", testChangeOrder},
		{"Seen", testChangeSeen},
		{"Refused", testChangesRefused},
	})
}

func (f *fixture) mustLog(t *testing.T, rules ...kv.ChangeRule) {
	t.Helper()
	if err := kv.LogChanges(t.Context(), f.Store, rules); err != nil {
		t.Fatalf("LogChanges: %v", err)
	}
}

// mustChanges reads all records of a log, in the order of their keys.
func (f *fixture) mustChanges(t *testing.T, log string) (list []kv.Change) {
	t.Helper()
	for opts := (kv.ListOptions{Prefix: log}); ; {
		page := f.mustList(t, opts)
		for _, listed := range page.Entries {
			head, err := kv.ChangeOf(listed)
			if err != nil {
				t.Fatal(err)
			}
			c, err := kv.ChangeOf(f.mustGet(t, listed.Key))
			if err != nil {
				t.Fatal(err)
			}
			if head.Key != c.Key || head.Revision != c.Revision || head.OldRevision != c.OldRevision {
				t.Errorf("a listing has %+v of %+v", head, c)
			}
			list = append(list, c)
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return list
		}
	}
}

// showChange is what a Change says but for its time.
func showChange(c kv.Change) string {
	text := fmt.Sprintf("%s %d<-%d", c.Key, c.Revision, c.OldRevision)
	if c.Deleted {
		text += " deleted"
	}
	if !c.Expires.IsZero() {
		text += " expires"
	}
	if c.Omitted {
		text += " omitted"
	}
	return fmt.Sprintf("%s %d %q %q hops %d", text, c.Size, c.Value, c.Metadata, c.Hops)
}

func wantChanges(t *testing.T, got []kv.Change, want ...kv.Change) {
	t.Helper()
	texts := func(list []kv.Change) (all []string) {
		for _, c := range list {
			all = append(all, showChange(c))
		}
		return all
	}
	if g, w := strings.Join(texts(got), "\n"), strings.Join(texts(want), "\n"); g != w {
		t.Errorf("the log has\n%s\nwant\n%s", g, w)
	}
}

func testLogged(t *testing.T, f *fixture) {
	before := f.mustPut(t, "a/0", "old", kv.PutOptions{})
	f.mustLog(t, kv.ChangeRule{Prefix: "a/", Log: "log/"})
	w := f.mustWatch(t, "log/")
	first := f.mustPut(t, "a/0", "new", kv.PutOptions{Metadata: []byte("m")})
	soon := f.clock.Now().Add(time.Second)
	second := f.mustPut(t, "a/1", "", kv.PutOptions{Expires: soon})
	f.mustPut(t, "b/0", "elsewhere", kv.PutOptions{})
	f.mustDelete(t, "a/absent")
	f.mustDelete(t, "a/0")
	f.clock.advance(2 * time.Second)
	f.mustDelete(t, "a/1") // has expired
	if _, err := f.Put(kv.WithHops(t.Context(), 7), "a/1", []byte("again"), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	removed := f.mustPut(t, "a/1", "once more", kv.PutOptions{})
	f.mustPut(t, "a/1", "", kv.PutOptions{Expires: soon}) // which has passed: it is removed
	got := f.mustChanges(t, "log/")
	if len(got) != 6 {
		t.Fatalf("%d records, want 6: %+v", len(got), got)
	}
	wantChanges(t, got,
		kv.Change{Key: "a/0", Revision: first, OldRevision: before, Value: []byte("new"), Size: 3, Metadata: []byte("m")},
		kv.Change{Key: "a/1", Revision: second, Expires: soon},
		kv.Change{Key: "a/0", Revision: got[2].Revision, OldRevision: first, Deleted: true},
		kv.Change{Key: "a/1", Revision: got[3].Revision, Value: []byte("again"), Size: 5, Hops: 7},
		kv.Change{Key: "a/1", Revision: removed, OldRevision: got[3].Revision, Value: []byte("once more"), Size: 9},
		kv.Change{Key: "a/1", Revision: got[5].Revision, OldRevision: removed, Deleted: true})
	for i, c := range got {
		if i > 0 && c.Revision <= got[i-1].Revision {
			t.Errorf("revision %d comes after %d", c.Revision, got[i-1].Revision)
		}
		if ev := mustNext(t, w); ev.Deleted || !strings.HasPrefix(ev.Entry.Key, "log/") {
			t.Errorf("got event %+v", ev)
		}
	}
	if at := got[0].Time; !at.Equal(f.clock.Now().Add(-2 * time.Second)) {
		t.Errorf("it was logged as of %v", at)
	}
}

func testChangeRules(t *testing.T, f *fixture) {
	f.mustLog(t, kv.ChangeRule{Prefix: "a/", Log: "log/1/"}, kv.ChangeRule{Prefix: "a/b", Log: "log/2/"}, kv.ChangeRule{Prefix: "a/", Log: "log/3/"})
	f.mustPut(t, "a/b", "v", kv.PutOptions{})
	f.mustPut(t, "a/a", "v", kv.PutOptions{})
	f.mustPut(t, "a", "v", kv.PutOptions{})
	f.mustPut(t, "a/bc", "v", kv.PutOptions{})
	f.mustLog(t, kv.ChangeRule{Prefix: "a", Log: "log/4/"})
	f.mustPut(t, "a/b", "v", kv.PutOptions{})
	f.mustLog(t)
	f.mustPut(t, "a/b", "v", kv.PutOptions{})
	for log, want := range map[string]string{"log/1/": "a/b a/a a/bc", "log/2/": "a/b a/bc", "log/3/": "a/b a/a a/bc", "log/4/": "a/b"} {
		var keys []string
		for _, c := range f.mustChanges(t, log) {
			keys = append(keys, c.Key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s has %q, want %q", log, got, want)
		}
	}
	if err := kv.LogChanges(t.Context(), f.Store, []kv.ChangeRule{{Prefix: "a", Log: "a/log"}}); err == nil {
		t.Error("a log may log itself")
	}
}

func testChangeSizes(t *testing.T, f *fixture) {
	f.mustLog(t, kv.ChangeRule{Prefix: "a", Log: "log/"})
	key := "a" + strings.Repeat("\xff", kv.MaxKey-1)
	metadata := pattern(kv.MaxMetadata)
	for _, size := range []int{0, 1, 1 << 10, 1<<10 + 1, 40 << 10, kv.MaxLoggedValue, kv.MaxLoggedValue + 1, 2 << 20} {
		value := pattern(size)
		f.mustPut(t, key, string(value), kv.PutOptions{Metadata: metadata})
		list := f.mustChanges(t, "log/")
		c := list[len(list)-1]
		if c.Omitted != (size > kv.MaxLoggedValue) || c.Size != int64(size) || !bytes.Equal(c.Metadata, metadata) || c.Key != key {
			t.Errorf("%d bytes: omitted %v, %d bytes, metadata of %d, key of %d", size, c.Omitted, c.Size, len(c.Metadata), len(c.Key))
		}
		if !c.Omitted && !bytes.Equal(c.Value, value) {
			t.Errorf("%d bytes: another value", size)
		}
	}
}

// testChangeSeen has who sees the record of a change see the change.
func testChangeSeen(t *testing.T, f *fixture) {
	f.mustLog(t, kv.ChangeRule{Prefix: "a", Log: "log/"})
	w := f.mustWatch(t, "log/")
	const changes = 30
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range changes {
			if _, err := f.Put(t.Context(), "a", pattern(i%3*300_000), kv.PutOptions{}); err != nil {
				t.Error(err)
			}
		}
	})
	defer writer.Wait()
	for range changes {
		c, err := kv.ChangeOf(mustNext(t, w).Entry)
		if err != nil {
			t.Fatal(err)
		}
		if e := f.mustGet(t, "a"); e.Revision < c.Revision {
			t.Errorf("there is a record of revision %d, and the entry has %d", c.Revision, e.Revision)
		}
	}
}

func testChangesKept(t *testing.T, f *fixture) {
	f.mustLog(t, kv.ChangeRule{Prefix: "a", Log: "log/1/", Keep: time.Minute}, kv.ChangeRule{Prefix: "a", Log: "log/2/"})
	f.mustPut(t, "a", "v", kv.PutOptions{})
	f.clock.advance(time.Minute - time.Millisecond)
	if n := len(f.mustChanges(t, "log/1/")); n != 1 {
		t.Errorf("%d records after a minute less, want 1", n)
	}
	f.clock.advance(time.Millisecond)
	if n, forever := len(f.mustChanges(t, "log/1/")), len(f.mustChanges(t, "log/2/")); n != 0 || forever != 1 {
		t.Errorf("%d and %d records after a minute, want 0 and 1", n, forever)
	}
}

// testChangeOrder writes a few keys from many goroutines: every change is there, and
// those of one key follow from each other.
func testChangeOrder(t *testing.T, f *fixture) {
	const writers, writes, keys = 8, 25, 3
	f.mustLog(t, kv.ChangeRule{Prefix: "key/", Log: "log/"})
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range writes {
				key := fmt.Sprint("key/", (i+j)%keys)
				if j%5 == 4 {
					if err := f.Delete(background(), key, kv.DeleteOptions{}); err != nil {
						t.Errorf("Delete(%q): %v", key, err)
					}
					continue
				}
				f.put(t, key, fmt.Sprint(i, j))
			}
		})
	}
	wg.Wait()
	last, puts := map[string]kv.Change{}, 0
	for _, c := range f.mustChanges(t, "log/") {
		before := last[c.Key]
		if before.Deleted {
			before.Revision = 0
		}
		if c.OldRevision != before.Revision || c.Revision <= last[c.Key].Revision {
			t.Errorf("%s follows %s", showChange(c), showChange(last[c.Key]))
		}
		if last[c.Key] = c; !c.Deleted {
			puts++
		}
	}
	if puts != writers*writes/5*4 {
		t.Errorf("%d writes are in the log, want %d", puts, writers*writes/5*4)
	}
	for key, c := range last {
		e, err := f.Get(t.Context(), key)
		if c.Deleted {
			wantErr(t, "Get of what was deleted last", err, kv.ErrNotFound)
		} else if err != nil || e.Revision != c.Revision {
			t.Errorf("key %s has revision %d, %v, and its last change is %s", key, e.Revision, err, showChange(c))
		}
	}
}

// testChangesRefused: what is not written is not logged.
func testChangesRefused(t *testing.T, f *fixture) {
	f.mustLog(t, kv.ChangeRule{Prefix: "a", Log: "log/"})
	f.mustPut(t, "a", "v", kv.PutOptions{})
	_, err := f.Put(t.Context(), "a", nil, kv.PutOptions{If: kv.IfRevision(0)})
	wantErr(t, "Put if there is none", err, kv.ErrConflict)
	wantErr(t, "Delete if there is none", f.Delete(t.Context(), "a", kv.DeleteOptions{If: kv.IfRevision(0)}), kv.ErrConflict)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Put(ended, "a", nil, kv.PutOptions{})
	wantErr(t, "Put with an ended context", err, context.Canceled)
	if n := len(f.mustChanges(t, "log/")); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "LogChanges after Close", kv.LogChanges(t.Context(), f.Store, nil), kv.ErrClosed)
}
