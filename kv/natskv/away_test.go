package natskv_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/nats-io/nats-server/v2/server"
)

// stopAndMiss stops a server, and waits until the Store has noticed.
func stopAndMiss(t *testing.T, of *server.Server, s *natskv.Store) {
	t.Helper()
	stop(of)
	eventually(t, "the server is missed", func() error {
		if s.Connected() {
			return errors.New("still connected")
		}
		return nil
	})
}

// eventually waits until do returns nothing.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func mustPut(t *testing.T, s kv.Store, key, value string) uint64 {
	t.Helper()
	revision, err := s.Put(t.Context(), key, []byte(value), kv.PutOptions{})
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return revision
}

func mustDelete(t *testing.T, s kv.Store, key string) {
	t.Helper()
	if err := s.Delete(t.Context(), key, kv.DeleteOptions{}); err != nil {
		t.Fatalf("Delete(%q): %v", key, err)
	}
}

// has reports whether key has value, or is absent if it is "".
func has(t *testing.T, s kv.Store, key, value string) error {
	e, err := s.Get(t.Context(), key)
	if value == "" && errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil || string(e.Value) != value {
		return fmt.Errorf("key %s: got %.40q, %v, want %.40q", key, e.Value, err, value)
	}
	return nil
}

func wantHas(t *testing.T, s kv.Store, key, value string) {
	t.Helper()
	if err := has(t, s, key, value); err != nil {
		t.Error(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// wantAway checks that reads go on, and that all else says why it does not.
func wantAway(t *testing.T, s *natskv.Store) {
	t.Helper()
	_, err := s.Put(t.Context(), "k", nil, kv.PutOptions{})
	wantErr(t, "Put", err, kv.ErrUnavailable)
	_, err = s.Put(t.Context(), "k", nil, kv.PutOptions{If: kv.IfRevision(0)})
	wantErr(t, "Put if there is none", err, kv.ErrUnavailable)
	wantErr(t, "Delete", s.Delete(t.Context(), "k", kv.DeleteOptions{}), kv.ErrUnavailable)
	wantErr(t, "Sync", s.Sync(t.Context()), kv.ErrUnavailable)
	_, err = s.GetStrong(t.Context(), "k")
	wantErr(t, "GetStrong", err, kv.ErrUnavailable)
	_, err = s.Blobs().Put(t.Context(), []byte("other"))
	wantErr(t, "Put of a blob", err, kv.ErrUnavailable)
	if st := s.Status(); st.Connected || st.Problem == "" || st.Since.IsZero() || st.Revision == 0 {
		t.Errorf("got status %+v", st)
	}
	wantHas(t, s, "k", "v")
	if page, err := s.List(t.Context(), kv.ListOptions{}); err != nil || len(page.Entries) == 0 {
		t.Errorf("List: got %d entries, %v", len(page.Entries), err)
	}
	if data, err := s.Blobs().Get(t.Context(), kv.DigestOf([]byte("blob"))); err != nil || string(data) != "blob" {
		t.Errorf("Get of a blob: got %q, %v", data, err)
	}
}

func TestServerAway(t *testing.T) {
	dir, copyDir := t.TempDir(), t.TempDir()
	port := porttest.Ports(t, 1)[0]
	server := mustServer(t, dir, port)
	cfg := impatient(natskv.Config{URL: server.ClientURL(), Dir: copyDir})
	s := mustOpen(t, cfg)
	mustPut(t, s, "k", "v")
	if _, err := s.Blobs().Put(t.Context(), []byte("blob")); err != nil {
		t.Fatal(err)
	}
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	stopAndMiss(t, server, s)
	wantAway(t, s)
	s.Close()

	cfg.Wait = time.Second
	s = mustOpen(t, cfg) // from the copy alone
	wantAway(t, s)
	_, err = natskv.Open(t.Context(), natskv.Config{URL: cfg.URL, Dir: t.TempDir(), Wait: time.Second})
	if wantErr(t, "Open without a copy", err, kv.ErrUnavailable); err != nil && !strings.Contains(err.Error(), "no copy yet") {
		t.Errorf("Open without a copy: got %v", err)
	}
	if w, err = s.Watch(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	mustServer(t, dir, port)
	eventually(t, "writes are taken again", func() error {
		_, err := s.Put(t.Context(), "k", []byte("w"), kv.PutOptions{})
		return err
	})
	if ev, err := w.Next(t.Context()); err != nil || string(ev.Entry.Value) != "w" {
		t.Errorf("got event %+v, %v", ev, err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Errorf("Sync: %v", err)
	}
}

func TestCut(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	p := mustProxy(t, server.Addr().String())
	near := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	far := mustOpen(t, impatient(natskv.Config{URL: p.url()}))
	mustPut(t, near, "k", "v")
	mustPut(t, near, "gone", "v")
	if _, err := far.Blobs().Put(t.Context(), []byte("blob")); err != nil {
		t.Fatal(err)
	}
	if err := far.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantHas(t, far, "gone", "v")
	w, err := far.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	p.set(true)
	eventually(t, "the cut is noticed", func() error {
		if far.Connected() {
			return errors.New("still connected")
		}
		return nil
	})
	wantAway(t, far)
	mustDelete(t, near, "gone")
	mustPut(t, near, "new", strings.Repeat("n", 1<<20))
	wantHas(t, far, "gone", "v")
	p.set(false)
	eventually(t, "it catches up", func() error { return far.Sync(t.Context()) })
	wantHas(t, far, "gone", "")
	wantHas(t, far, "new", strings.Repeat("n", 1<<20))
	if ev, err := w.Next(t.Context()); err != nil || ev.Entry.Key != "gone" || !ev.Deleted {
		t.Errorf("got event %+v, %v", ev, err)
	}
	if ev, err := w.Next(t.Context()); err != nil || ev.Entry.Key != "new" || len(ev.Entry.Value) != 1<<20 {
		t.Errorf("got event %s, %v", ev.Entry.Key, err)
	}
}

// A network that loses everything, and says nothing, is noticed by time alone. What
// was sent then may arrive later, and is never said to be done.
func TestStuck(t *testing.T) {
	t.Parallel()
	server := mustServer(t, t.TempDir(), -1)
	p := mustProxy(t, server.Addr().String())
	s := mustOpen(t, impatient(natskv.Config{URL: p.url()}))
	before := mustPut(t, s, "k", "v")
	p.stick()
	_, err := s.Put(t.Context(), "k", []byte("late"), kv.PutOptions{If: kv.IfRevision(before)})
	wantErr(t, "Put", err, kv.ErrUnavailable)
	wantHas(t, s, "k", "v")
	p.unstick()
	eventually(t, "it goes on", func() error { return s.Sync(t.Context()) })
	e, err := s.Get(t.Context(), "k")
	if err != nil || e.Revision != before && string(e.Value) != "late" {
		t.Errorf("got %+v, %v", e, err)
	}
	// Sent again and again, it is there once at most.
	if e.Revision > before && e.Revision != before+1 {
		t.Errorf("got revision %d after %d", e.Revision, before)
	}
}
