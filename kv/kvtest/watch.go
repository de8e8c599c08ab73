package kvtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func mustNext(t *testing.T, w kv.Watcher) kv.Event {
	t.Helper()
	ev, err := w.Next(t.Context())
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return ev
}

func testWatch(t *testing.T, f *fixture) {
	f.mustPut(t, "a/0", "before", kv.PutOptions{})
	w := f.mustWatch(t, "a/")
	all := f.mustWatch(t, "")
	put := f.mustPut(t, "a/1", "v", kv.PutOptions{Metadata: []byte("m")})
	f.mustPut(t, "b/1", "elsewhere", kv.PutOptions{})
	f.mustDelete(t, "a/absent")
	f.mustDelete(t, "a/1")
	f.mustPut(t, "a/2", "last", kv.PutOptions{})

	ev := mustNext(t, w)
	wantEntry(t, ev.Entry, kv.Entry{Key: "a/1", Value: []byte("v"), Metadata: []byte("m"), Revision: put})
	ev = mustNext(t, w)
	if !ev.Deleted || ev.Entry.Revision <= put {
		t.Errorf("got %+v, want a deletion with a revision after %d", ev, put)
	}
	wantEntry(t, ev.Entry, kv.Entry{Key: "a/1", Revision: ev.Entry.Revision})
	if ev = mustNext(t, w); ev.Entry.Key != "a/2" || ev.Deleted {
		t.Errorf("got %+v, want that of a/2", ev)
	}
	for _, want := range []string{"a/1", "b/1", "a/1", "a/2"} {
		if got := mustNext(t, all).Entry.Key; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// testWatchOrder writes a few keys from many goroutines: each key's events come
// in the order of revisions, all of them, and the last one is what is stored.
func testWatchOrder(t *testing.T, f *fixture) {
	const writers, writes, keys = 8, 20, 3
	w := f.mustWatch(t, "key/")
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range writes {
				f.put(t, fmt.Sprint("key/", (i+j)%keys), strconv.Itoa(j))
			}
		})
	}
	last := map[string]kv.Entry{}
	for range writers * writes {
		e := mustNext(t, w).Entry
		if e.Revision <= last[e.Key].Revision {
			t.Errorf("key %s: got revision %d after %d", e.Key, e.Revision, last[e.Key].Revision)
		}
		last[e.Key] = e
	}
	wg.Wait()
	for key, e := range last {
		wantEntry(t, f.mustGet(t, key), e)
	}
}

func testWatchLag(t *testing.T, f *fixture) {
	slow, other := f.mustWatch(t, ""), f.mustWatch(t, "other/")
	large := string(pattern(1 << 20))
	for range 80 { // more than any implementation holds back for one watcher
		f.mustPut(t, "k", large, kv.PutOptions{})
	}
	var err error
	for err == nil {
		_, err = slow.Next(t.Context())
	}
	wantErr(t, "Next of the slow watcher", err, kv.ErrLagged)
	f.mustPut(t, "other/k", "v", kv.PutOptions{})
	_, err = slow.Next(t.Context())
	wantErr(t, "Next once it lagged", err, kv.ErrLagged)
	if ev := mustNext(t, other); ev.Entry.Key != "other/k" {
		t.Errorf("got %s, want the event of other/k", show(ev.Entry))
	}
}

func testWatchEnds(t *testing.T, f *fixture) {
	w := f.mustWatch(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Next(ctx)
	wantErr(t, "Next with an ended context", err, context.Canceled)
	f.mustPut(t, "k", "v", kv.PutOptions{})
	mustNext(t, w) // it goes on after that

	ended := nextIn(w)
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Errorf("Close twice: %v", err)
	}
	wantErr(t, "Next during Close", <-ended, kv.ErrClosed)
	_, err = w.Next(t.Context())
	wantErr(t, "Next after Close", err, kv.ErrClosed)
	f.mustPut(t, "k", "v", kv.PutOptions{})

	w = f.mustWatch(t, "")
	first, second := nextIn(w), nextIn(w)
	if err := f.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	wantErr(t, "Next during Close of the store", <-first, kv.ErrClosed)
	wantErr(t, "another Next", <-second, kv.ErrClosed)
}

// nextIn calls Next in a goroutine and sends its error.
func nextIn(w kv.Watcher) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := w.Next(background())
		result <- err
	}()
	return result
}
