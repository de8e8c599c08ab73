package kvtest

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func testRevisions(t *testing.T, f *fixture) {
	var last uint64
	grow := func(what string, revision uint64) {
		t.Helper()
		if revision <= last {
			t.Errorf("%s: got revision %d after %d", what, revision, last)
		}
		last = revision
	}
	w := f.mustWatch(t, "")
	grow("first", f.mustPut(t, "a", "1", kv.PutOptions{}))
	grow("other key", f.mustPut(t, "b", "1", kv.PutOptions{}))
	grow("same value", f.mustPut(t, "a", "1", kv.PutOptions{}))
	f.mustDelete(t, "a")
	for range 3 {
		mustNext(t, w)
	}
	grow("deletion", mustNext(t, w).Entry.Revision)
	grow("after deletion", f.mustPut(t, "a", "1", kv.PutOptions{}))
	if got := f.mustGet(t, "a").Revision; got != last {
		t.Errorf("got revision %d, want %d", got, last)
	}
}

func testConditions(t *testing.T, f *fixture) {
	ctx := t.Context()
	put := func(cond kv.Condition) error {
		_, err := f.Put(ctx, "k", []byte("v"), kv.PutOptions{If: cond})
		return err
	}
	wantErr(t, "Put if 5 on nothing", put(kv.IfRevision(5)), kv.ErrConflict)
	wantErr(t, "Put if 0 on nothing", put(kv.IfRevision(0)), nil)
	wantErr(t, "Put if 0 on something", put(kv.IfRevision(0)), kv.ErrConflict)
	first := f.mustGet(t, "k").Revision
	wantErr(t, "Put if first", put(kv.IfRevision(first)), nil)
	wantErr(t, "Put if first again", put(kv.IfRevision(first)), kv.ErrConflict)
	wantErr(t, "Put whatever", put(kv.AnyRevision), nil)

	wantErr(t, "Delete if first", f.Delete(ctx, "k", kv.DeleteOptions{If: kv.IfRevision(first)}), kv.ErrConflict)
	now := f.mustGet(t, "k").Revision
	wantErr(t, "Delete if now", f.Delete(ctx, "k", kv.DeleteOptions{If: kv.IfRevision(now)}), nil)
	wantErr(t, "Delete if now again", f.Delete(ctx, "k", kv.DeleteOptions{If: kv.IfRevision(now)}), kv.ErrConflict)
	wantErr(t, "Delete if 0", f.Delete(ctx, "k", kv.DeleteOptions{If: kv.IfRevision(0)}), nil)
	wantErr(t, "Put if it is as before deletion", put(kv.IfRevision(now)), kv.ErrConflict)
}

// testCounter adds to one number from many goroutines by comparing revisions.
func testCounter(t *testing.T, f *fixture) {
	const writers, additions = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range additions {
				if err := increment(f); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got, want := string(f.mustGet(t, "counter").Value), strconv.Itoa(writers*additions); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func increment(store kv.Store) error {
	for {
		e, err := store.Get(background(), "counter")
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(e.Value)) // 0 when there is none
		_, err = store.Put(background(), "counter", strconv.AppendInt(nil, int64(n+1), 10), kv.PutOptions{If: kv.IfRevision(e.Revision)})
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}
