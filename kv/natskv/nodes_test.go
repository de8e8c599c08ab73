package natskv_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
)

// mustNodes opens several Stores on one server.
func mustNodes(t testing.TB, n int) (nodes []*natskv.Store) {
	t.Helper()
	server := mustServer(t, t.TempDir(), -1)
	for range n {
		nodes = append(nodes, mustOpen(t, natskv.Config{URL: server.ClientURL()}))
	}
	return nodes
}

// TestNodesCount has several nodes add to one number by comparing revisions.
func TestNodesCount(t *testing.T) {
	const additions = 20
	nodes := mustNodes(t, 3)
	var wg sync.WaitGroup
	for _, s := range nodes {
		for range 2 {
			wg.Go(func() {
				for range additions {
					if err := increment(t, s); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	for _, s := range nodes {
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantHas(t, s, "counter", strconv.Itoa(len(nodes)*2*additions))
	}
}

func increment(t *testing.T, s *natskv.Store) error {
	for {
		e, err := s.Get(t.Context(), "counter")
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(e.Value)) // 0 when there is none
		_, err = s.Put(t.Context(), "counter", strconv.AppendInt(nil, int64(n+1), 10), kv.PutOptions{If: kv.IfRevision(e.Revision)})
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}

func TestNodesSee(t *testing.T) {
	nodes := mustNodes(t, 2)
	a, b := nodes[0], nodes[1]
	w, err := b.Watch(t.Context(), "seen/")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789abcdef", 1<<20/4) // 4 MiB
	for key, value := range map[string]string{"seen/short": "v", "seen/long": long} {
		revision, err := a.Put(t.Context(), key, []byte(value), kv.PutOptions{Metadata: []byte("m")})
		if err != nil {
			t.Fatal(err)
		}
		e, err := b.GetStrong(t.Context(), key)
		if err != nil || e.Revision != revision || string(e.Value) != value || string(e.Metadata) != "m" {
			t.Errorf("GetStrong(%s): got %d bytes, revision %d, %v", key, len(e.Value), e.Revision, err)
		}
		if err := b.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantHas(t, b, key, value)
		if ev, err := w.Next(t.Context()); err != nil || ev.Entry.Revision != revision || string(ev.Entry.Value) != value {
			t.Errorf("got event of revision %d, %v; want %d", ev.Entry.Revision, err, revision)
		}
	}
	if _, err := a.GetStrong(t.Context(), "absent"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("GetStrong of nothing: got %v", err)
	}
	mustDelete(t, b, "seen/long")
	if _, err := a.GetStrong(t.Context(), "seen/long"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("GetStrong of what was deleted: got %v", err)
	}
	if c := a.Status(); !c.Connected || c.Problem != "" || c.Revision == 0 || len(c.Servers) == 0 {
		t.Errorf("got status %+v", c)
	}
}

// Nodes have blobs from one another, and from their own disks while they are whole.
func TestNodesBlobs(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	dir := t.TempDir()
	a := mustOpen(t, natskv.Config{URL: server.ClientURL()}).Blobs()
	b := mustOpen(t, natskv.Config{URL: server.ClientURL(), Dir: dir}).Blobs()
	data := bytes.Repeat([]byte("blob"), 500_000)
	d, err := a.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 6)
	if err := kv.ReadPart(t.Context(), b, d, part, 1_000_002); err != nil || string(part) != "obblob" {
		t.Errorf("ReadPart: got %q, %v", part, err)
	}
	file := filepath.Join(dir, "blobs", d.String()[:2], d.String())
	kept, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(kept, data) {
		t.Fatalf("the node keeps %d bytes, %v", len(kept), err)
	}
	kept[100] ^= 1
	if err := os.WriteFile(file, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Get(t.Context(), d); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Get of what is damaged on this node: got %d bytes, %v", len(got), err)
	}
	if err := b.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if digests, err := a.List(t.Context()); err != nil || len(digests) != 0 {
		t.Errorf("List: got %d, %v", len(digests), err)
	}
}

// What a writer left between the chunks and the entry is swept; nothing else is.
func TestSweep(t *testing.T) {
	nodes := mustNodes(t, 2)
	a, b := nodes[0], nodes[1]
	long := strings.Repeat("l", 700_000)
	mustPut(t, a, "k", long)
	blob, err := a.Blobs().Put(t.Context(), []byte(long))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k", "never written"} {
		if err := b.PutObject(t.Context(), key, []byte(long)); err != nil {
			t.Fatal(err)
		}
	}
	wantSwept(t, b, time.Hour, 0) // all are younger
	wantSwept(t, b, 1, 2)
	if n, err := b.Objects(t.Context()); err != nil || n != 2 {
		t.Errorf("got %d objects, %v, want 2", n, err)
	}
	fresh := mustOpen(t, natskv.Config{Conn: a.Conn()})
	wantHas(t, fresh, "k", long)
	if data, err := fresh.Blobs().Get(t.Context(), blob); err != nil || string(data) != long {
		t.Errorf("Get of the blob: got %d bytes, %v", len(data), err)
	}
	// A Store removes what it replaced itself, at once.
	for i := range 3 {
		mustPut(t, a, "k", long+fmt.Sprint(i))
	}
	eventually(t, "replaced objects are removed", func() error {
		if n, err := a.Objects(t.Context()); err != nil || n != 2 {
			return fmt.Errorf("%d objects, %v", n, err)
		}
		return nil
	})
}

func wantSwept(t *testing.T, s *natskv.Store, grace time.Duration, want int) {
	t.Helper()
	if n, err := s.Sweep(t.Context(), grace); err != nil || n != want {
		t.Errorf("swept %d objects, %v, want %d", n, err, want)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  natskv.Config
		want string
	}{
		{natskv.Config{URL: "nats://127.0.0.1:1"}, "no directory given"},
		{natskv.Config{Dir: "x"}, "no URL given"},
		{natskv.Config{Dir: "x", URL: "nats://127.0.0.1:1", Bucket: "a.b"}, "use up to 64 letters"},
		{natskv.Config{Dir: "x", URL: "nats://127.0.0.1:1", Replicas: 6}, "use 1 to 5"},
		{natskv.Config{Dir: "x", URL: "nats://127.0.0.1:1", MarkerTTL: 1}, "use an hour or more"},
		{natskv.Config{Dir: t.TempDir(), URL: "nats://127.0.0.1:1", Credentials: "absent.creds"}, "absent.creds"},
	} {
		if _, err := natskv.Open(t.Context(), c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// A node without room stays where it is, takes deletions, and goes on by itself.
func TestNoRoom(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	near := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	var full atomic.Bool
	far := mustOpen(t, natskv.Config{URL: server.ClientURL(), Room: func(int64) error {
		if full.Load() {
			return kv.ErrNoSpace
		}
		return nil
	}})
	mustPut(t, near, "a", "v")
	mustPut(t, near, "b", "v")
	if err := far.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	mustDelete(t, far, "b")
	mustPut(t, near, "a", "w")
	eventually(t, "the node stops", func() error {
		if s := far.Status(); s.Connected || !strings.Contains(s.Problem, kv.ErrNoSpace.Error()) {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	wantHas(t, far, "a", "v")
	wantHas(t, far, "b", "")
	full.Store(false)
	eventually(t, "it goes on", func() error { return has(t, far, "a", "w") })
}
