package natskv_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

func keys(t *testing.T, s kv.Store, prefix string, limit int) (all []string) {
	t.Helper()
	for opts := (kv.ListOptions{Prefix: prefix, Limit: limit}); ; {
		page, err := s.List(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) > limit {
			t.Errorf("got %d entries in a page of %d", len(page.Entries), limit)
		}
		for _, e := range page.Entries {
			all = append(all, e.Key)
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return all
		}
	}
}

// wantOffline is what a node shows of writes that wait.
func wantOffline(t *testing.T, s kv.Store) {
	t.Helper()
	wantHas(t, s, "off/new", "waits")
	wantHas(t, s, "off/over", "second")
	wantHas(t, s, "off/gone", "")
	wantHas(t, s, "off/long", strings.Repeat("l", 600_000))
	want := []string{"off/5", "off/6", "off/7", "off/long", "off/new", "off/over"}
	for limit := 1; limit < 8; limit++ {
		if got := keys(t, s, "off/", limit); !slices.Equal(got, want) {
			t.Errorf("pages of %d: got keys %q, want %q", limit, got, want)
		}
	}
}

func TestOffline(t *testing.T) {
	dir := t.TempDir()
	port := porttest.Ports(t, 1)[0]
	server := mustServer(t, dir, port)
	cfg := impatient(natskv.Config{URL: server.ClientURL(), Dir: t.TempDir(),
		Offline: func(key string) bool { return strings.HasPrefix(key, "off/") }})
	s := mustOpen(t, cfg)
	for _, key := range []string{"k", "off/over", "off/gone", "off/5", "off/6", "off/7"} {
		mustPut(t, s, key, "before")
	}
	stopAndMiss(t, server, s)
	first := mustPut(t, s, "off/over", "first")
	second := mustPut(t, s, "off/over", "second")
	if second <= first {
		t.Errorf("got revision %d after %d", second, first)
	}
	mustPut(t, s, "off/new", "waits")
	mustPut(t, s, "off/long", strings.Repeat("l", 600_000))
	mustDelete(t, s, "off/gone")
	_, err := s.Put(t.Context(), "k", nil, kv.PutOptions{})
	wantErr(t, "Put elsewhere", err, kv.ErrUnavailable)
	_, err = s.Put(t.Context(), "off/over", nil, kv.PutOptions{If: kv.IfRevision(second)})
	wantErr(t, "Put that compares", err, kv.ErrUnavailable)
	wantOffline(t, s)
	s.Close()

	cfg.Wait = time.Second
	s = mustOpen(t, cfg) // what waits is on disk
	wantOffline(t, s)
	if n := s.Waiting(); n != 5 {
		t.Errorf("%d writes wait, want 5", n)
	}
	w, err := s.Watch(t.Context(), "off/n")
	if err != nil {
		t.Fatal(err)
	}
	mustServer(t, dir, port)
	eventually(t, "writes are sent", func() error {
		if !s.Connected() || s.Waiting() > 0 {
			return fmt.Errorf("%d writes wait", s.Waiting())
		}
		return nil
	})
	if ev, err := w.Next(t.Context()); err != nil || string(ev.Entry.Value) != "waits" || ev.Entry.Revision >= first {
		t.Errorf("got event %+v, %v", ev, err)
	}
	near := mustOpen(t, natskv.Config{URL: cfg.URL})
	wantOffline(t, near)
	wantOffline(t, s)
	mustPut(t, near, "off/new", "over that")
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantHas(t, s, "off/new", "over that")
	if e, err := s.Get(t.Context(), "off/over"); err != nil || e.Revision >= first {
		t.Errorf("got revision %d, %v, want that of the stream", e.Revision, err)
	}
	if info, err := os.Stat(filepath.Join(cfg.Dir, "journal")); err != nil || info.Size() != 0 {
		t.Errorf("the journal: got %v, %v, want it to be empty", info, err)
	}
}

// A write that was cut off is dropped, and damage is told from that.
func TestReadJournal(t *testing.T) {
	data := natskv.Journal(t, "first", "second")
	for n := range len(data) {
		got, whole, err := natskv.ReadJournal(data[:n])
		if err != nil || whole > n || len(got) == 2 {
			t.Fatalf("%d of %d bytes: got %q, %d, %v", n, len(data), got, whole, err)
		}
	}
	if got, whole, err := natskv.ReadJournal(data); err != nil || whole != len(data) || !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("got %q, %d, %v", got, whole, err)
	}
	data[20] ^= 1
	if got, _, err := natskv.ReadJournal(data); !errors.Is(err, kv.ErrCorrupt) || len(got) != 0 {
		t.Errorf("damaged: got %q, %v, want ErrCorrupt", got, err)
	}
}

func FuzzReadJournal(f *testing.F) {
	data := natskv.Journal(f, "first", "second")
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, whole, err := natskv.ReadJournal(data)
		if err != nil && !errors.Is(err, kv.ErrCorrupt) || whole > len(data) {
			t.Fatalf("got %d of %d bytes, %v", whole, len(data), err)
		}
		if again, n, err := natskv.ReadJournal(data[:whole]); err != nil || n != whole || !slices.Equal(again, keys) {
			t.Fatalf("read again: got %q, %d, %v", again, n, err)
		}
	})
}

// A listing that is under way while what waited is sent shows it as before.
func TestListWhileSent(t *testing.T) {
	dir, port := t.TempDir(), porttest.Ports(t, 1)[0]
	server := mustServer(t, dir, port)
	clock := &pausedClock{asked: make(chan struct{}), goOn: make(chan struct{})}
	cfg := impatient(natskv.Config{URL: server.ClientURL(), Dir: t.TempDir(), Now: clock.now, Offline: func(string) bool { return true }})
	s := mustOpen(t, cfg)
	for _, key := range []string{"a", "over", "gone"} {
		mustPut(t, s, key, "before")
	}
	stopAndMiss(t, server, s)
	mustPut(t, s, "new", "waits")
	mustPut(t, s, "over", "waits")
	mustDelete(t, s, "gone")
	clock.pause.Store(true)
	listed := make(chan []string)
	go func() { listed <- keys(t, s, "", 10) }()
	<-clock.asked // the page of the copy is what it was
	mustServer(t, dir, port)
	eventually(t, "writes are sent", func() error {
		if !s.Connected() || s.Waiting() > 0 {
			return fmt.Errorf("%d writes wait", s.Waiting())
		}
		return nil
	})
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(clock.goOn)
	if got, want := <-listed, []string{"a", "new", "over"}; !slices.Equal(got, want) {
		t.Errorf("got keys %q, want %q", got, want)
	}
}

// pausedClock keeps the first who asks after pause waiting.
type pausedClock struct {
	pause       atomic.Bool
	asked, goOn chan struct{}
}

func (c *pausedClock) now() time.Time {
	if c.pause.CompareAndSwap(true, false) {
		close(c.asked)
		<-c.goOn
	}
	return time.Now()
}
