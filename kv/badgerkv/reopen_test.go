package badgerkv_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

func mustPut(t *testing.T, s kv.Store, key string, value []byte, opts kv.PutOptions) uint64 {
	t.Helper()
	revision, err := s.Put(t.Context(), key, value, opts)
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return revision
}

func mustClose(t *testing.T, s kv.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	expires := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	want := map[string]kv.Entry{}
	var last uint64
	for round := range 4 {
		s := mustOpen(t, badgerkv.Config{Dir: dir, NoSync: round%2 == 1})
		for key, w := range want {
			e, err := s.Get(t.Context(), key)
			if err != nil || !bytes.Equal(e.Value, w.Value) || !bytes.Equal(e.Metadata, w.Metadata) ||
				e.Revision != w.Revision || !e.Expires.Equal(w.Expires) {
				t.Errorf("round %d: key %s came back different (%v)", round, key, err)
			}
		}
		for i, size := range []int{0, 100, 5000, 100 << 10} {
			key := fmt.Sprint(round, "/", i)
			e := kv.Entry{Value: bytes.Repeat([]byte{byte(i)}, size), Metadata: []byte(key), Expires: expires}
			e.Revision = mustPut(t, s, key, e.Value, kv.PutOptions{Metadata: e.Metadata, Expires: e.Expires})
			if e.Revision <= last {
				t.Errorf("round %d: got revision %d after %d", round, e.Revision, last)
			}
			last = e.Revision
			want[key] = e
		}
		if err := s.Delete(t.Context(), fmt.Sprint(round, "/0"), kv.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		delete(want, fmt.Sprint(round, "/0"))
		mustClose(t, s)
	}
}

// TestClockJump shows that an entry is hidden and not lost when the clock is
// ahead for a moment.
func TestClockJump(t *testing.T) {
	now := time.Now()
	s := mustOpen(t, badgerkv.Config{Now: func() time.Time { return now }})
	mustPut(t, s, "k", []byte("v"), kv.PutOptions{Expires: now.Add(time.Second)})
	now = now.Add(time.Minute)
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get while the clock is ahead: got %v, want ErrNotFound", err)
	}
	now = now.Add(-time.Minute)
	if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get after that = %q, %v, want v", e.Value, err)
	}
}

func TestLockedDirectory(t *testing.T) {
	dir := t.TempDir()
	first := mustOpen(t, badgerkv.Config{Dir: dir})
	second, err := badgerkv.Open(badgerkv.Config{Dir: dir})
	if err == nil {
		second.Close()
		t.Fatal("two stores opened one directory")
	}
	for _, want := range []string{dir, fmt.Sprintf("in use by process %d", os.Getpid()), "stop it or choose another directory"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to say %q", err, want)
		}
	}
	mustPut(t, first, "k", []byte("v"), kv.PutOptions{}) // the first one is not disturbed
	mustClose(t, first)
	mustOpen(t, badgerkv.Config{Dir: dir})
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, want string }{
		{"", "no directory given"},
		{file, "cannot be written; make it writable for this user or choose another one"},
		{filepath.Join(file, "below"), "cannot be written; make it writable for this user or choose another one"},
	} {
		if _, err := badgerkv.Open(badgerkv.Config{Dir: c.dir}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%q): got %v, want %q", c.dir, err, c.want)
		}
	}
}

// TestLockGivenUp: a directory that somebody else gives up soon can be opened.
func TestLockGivenUp(t *testing.T) {
	dir := t.TempDir()
	unlock, err := badgerkv.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, unlock)
	s, err := badgerkv.Open(badgerkv.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
