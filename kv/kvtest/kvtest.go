// Package kvtest is the conformance kit of package kv: what every kv.Store and
// kv.Blobs must do. An implementation's test calls Run or RunBlobs with a
// function that opens an empty one, and Bench from its benchmark.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Open returns an empty store whose clock is now; the kit closes it. Opening
// may register clean-up with t.
type Open func(t *testing.T, now func() time.Time) kv.Store

// Run tests one implementation. Each rule is a subtest on a store of its own.
func Run(t *testing.T, open Open) {
	run(t, open, []rule{
		{"ReadWrite", testReadWrite},
		{"Absent", testAbsent},
		{"Sizes", testSizes},
		{"BinaryKeys", testBinaryKeys},
		{"LargeValues", testLargeValues},
		{"CopiesSlices", testCopiesSlices},
		{"Context", testContext},
		{"Revisions", testRevisions},
		{"Conditions", testConditions},
		{"Counter", testCounter},
		{"Batch", testBatch},
		{"Expiry", testExpiry},
		{"ExpiryConditions", testExpiryConditions},
		{"ClockJumps", testClockJumps},
		{"ListOrder", testListOrder},
		{"ListPages", testListPages},
		{"ListCursors", testListCursors},
		{"ListDeletesBetweenPages", testListDeletes},
		{"ListConsistent", testListConsistent},
		{"View", testView},
		{"ViewConsistent", testViewConsistent},
		{"Watch", testWatch},
		{"WatchOrder", testWatchOrder},
		{"WatchLag", testWatchLag},
		{"WatchEnds", testWatchEnds},
		{"Local", testLocal},
		{"Model", testModel},
		{"Hammer", testHammer},
		{"ReadWhileWriting", testReadWhileWriting},
		{"Close", testClose},
		{"CloseUnderLoad", testCloseUnderLoad},
	})
}

// rule is what every implementation has to keep.
type rule struct {
	name string
	test func(t *testing.T, f *fixture)
}

// run tests each rule on a store of its own.
func run(t *testing.T, open Open, rules []rule) {
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			clock := &clock{now: time.Date(2031, 5, 6, 7, 8, 9, 123_000_000, time.UTC)}
			f := &fixture{Store: open(t, clock.Now), clock: clock}
			t.Cleanup(func() {
				if err := f.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			rule.test(t, f)
		})
	}
}

// fixture is the store under test with shorthands that stop the test on errors.
type fixture struct {
	kv.Store
	clock *clock
}

func (f *fixture) mustPut(t *testing.T, key, value string, opts kv.PutOptions) uint64 {
	t.Helper()
	revision, err := f.Put(t.Context(), key, []byte(value), opts)
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return revision
}

// put is mustPut for goroutines, which must not stop the test.
func (f *fixture) put(t *testing.T, key, value string) {
	t.Helper()
	if _, err := f.Put(background(), key, []byte(value), kv.PutOptions{}); err != nil {
		t.Errorf("Put(%q): %v", key, err)
	}
}

func (f *fixture) mustDelete(t *testing.T, key string) {
	t.Helper()
	if err := f.Delete(t.Context(), key, kv.DeleteOptions{}); err != nil {
		t.Fatalf("Delete(%q): %v", key, err)
	}
}

func (f *fixture) mustGet(t *testing.T, key string) kv.Entry {
	t.Helper()
	e, err := f.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return e
}

func (f *fixture) mustList(t *testing.T, opts kv.ListOptions) kv.Page {
	t.Helper()
	page, err := f.List(t.Context(), opts)
	if err != nil {
		t.Fatalf("List(%+v): %v", opts, err)
	}
	return page
}

func (f *fixture) mustWatch(t *testing.T, prefix string) kv.Watcher {
	t.Helper()
	w, err := f.Watch(t.Context(), prefix)
	if err != nil {
		t.Fatalf("Watch(%q): %v", prefix, err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantEntry(t *testing.T, got, want kv.Entry) {
	t.Helper()
	same := got.Key == want.Key && bytes.Equal(got.Value, want.Value) && bytes.Equal(got.Metadata, want.Metadata) &&
		got.Revision == want.Revision && got.Expires.Equal(want.Expires)
	if !same {
		t.Errorf("got entry %s, want %s", show(got), show(want))
	}
}

func keysOf(page kv.Page) []string {
	keys := make([]string, 0, len(page.Entries))
	for _, e := range page.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}

func wantKeys(t *testing.T, page kv.Page, want ...string) {
	t.Helper()
	if got := keysOf(page); !slices.Equal(got, want) {
		t.Errorf("got keys %q, want %q", got, want)
	}
}

// background is for goroutines that may outlive the context of the test.
func background() context.Context { return context.Background() }

// clock is the time that the store under test sees.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
