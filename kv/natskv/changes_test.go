package natskv_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

// TestChangeSeenElsewhere: another node that sees the record of a change sees the
// change, also where it first has to fetch the value.
func TestChangeSeenElsewhere(t *testing.T) {
	nodes := mustNodes(t, 2)
	near, far := nodes[0], nodes[1]
	if err := kv.LogChanges(t.Context(), near, []kv.ChangeRule{{Prefix: "a", Log: "log/"}}); err != nil {
		t.Fatal(err)
	}
	w, err := far.Watch(t.Context(), "log/")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		revision := mustPut(t, near, "a", strings.Repeat(fmt.Sprint(i), 600_000))
		ev, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := kv.ChangeOf(ev.Entry)
		if err != nil || c.Revision != revision {
			t.Fatalf("got %+v, %v, want the change to %d", c, err, revision)
		}
		if e, err := far.Get(t.Context(), "a"); err != nil || e.Revision < revision {
			t.Errorf("there is a record of revision %d, and the entry has %d, %v", revision, e.Revision, err)
		}
	}
}

// TestBatchSeenElsewhere: listings of other nodes have all writes of a batch or none, and
// no node is held up by one that was overwritten before it came to it.
func TestBatchSeenElsewhere(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	near := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	far := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	for i := range 20 {
		value := []byte(fmt.Sprint(i))
		if err := near.Batch(t.Context(), []kv.Write{{Key: "a", Value: value}, {Key: "b", Value: value}, {Key: "c", Value: value}}, false); err != nil {
			t.Fatal(err)
		}
		page, err := far.List(t.Context(), kv.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, e := range page.Entries {
			got = append(got, e.Revision)
		}
		if len(got) != 0 && (len(got) != 3 || got[1] != got[0]+1 || got[2] != got[0]+2) {
			t.Errorf("a listing has revisions %d, want none or three in a row", got)
		}
	}
	mustPut(t, near, "c", "over it") // the last of the batch is gone from the stream
	late := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	for key, want := range map[string]string{"a": "19", "b": "19", "c": "over it"} {
		wantHas(t, late, key, want)
	}
	forget(t, near, "c") // and so is what came after it
	later := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	for key, want := range map[string]string{"a": "19", "b": "19", "c": ""} {
		wantHas(t, later, key, want)
	}
	if err := later.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestOfflineLogged: writes that waited over a restart are logged as changes, although
// they are sent before anybody gave rules again.
func TestOfflineLogged(t *testing.T) {
	dir := t.TempDir()
	port := porttest.Ports(t, 1)[0]
	server := mustServer(t, dir, port)
	cfg := natskv.Config{URL: server.ClientURL(), Dir: t.TempDir(),
		Offline: func(key string) bool { return strings.HasPrefix(key, "off/") }}
	s := mustOpen(t, cfg)
	mustPut(t, s, "off/k", "before")
	if err := kv.LogChanges(t.Context(), s, []kv.ChangeRule{{Prefix: "off/", Log: "log/", Keep: time.Hour}, {Prefix: "\xff", Log: "other/"}}); err != nil {
		t.Fatal(err)
	}
	stopAndMiss(t, server, s)
	mustPut(t, s, "off/k", "waits")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustServer(t, dir, port)
	s = mustOpen(t, cfg)
	eventually(t, "the change is logged", func() error {
		page, err := s.List(t.Context(), kv.ListOptions{Prefix: "log/"})
		if err != nil || len(page.Entries) != 1 {
			return fmt.Errorf("got %d records, %v", len(page.Entries), err)
		}
		c, err := kv.ChangeOf(page.Entries[0])
		if err != nil || c.Key != "off/k" || c.OldRevision == 0 || page.Entries[0].Expires.IsZero() {
			t.Errorf("got %+v, %v, which expires %v", c, err, page.Entries[0].Expires)
		}
		return nil
	})
	wantHas(t, s, "off/k", "waits")
}

// Rules that are damaged are no reason not to start.
func FuzzParseRules(f *testing.F) {
	for _, seed := range []string{`[]`, `[{"prefix":"YQ==","log":"bG9nLw==","keep_ns":1}]`, `[{"prefix":"YQ==","log":"YQ=="}]`, `{`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := natskv.ParseRules(data); err != nil && err.Error() == "" {
			t.Error("an error that says nothing")
		}
	})
}
