package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/fileblob"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// inFiles is a node whose blobs are files in a directory.
func inFiles(t testing.TB, dir string) node {
	t.Helper()
	blobs, err := fileblob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return node{memkv.New(memkv.Config{}), blobs}
}

// After a restart a Version is served from its Snapshot alone.
func TestRestartWithoutModule(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	v := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	r.Close()
	digest, err := kv.ParseDigest(v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.blobs.Delete(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	if !use(t, n.open(t), "hello") {
		t.Error("the Function is not there")
	}
}

// A Snapshot that was damaged, one bit at a time, is taken again from the module,
// and stored again.
func TestDamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	n := inFiles(t, dir)
	r := n.open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	r.Close()
	file, good := snapshotFile(t, n, dir)
	step := 11
	if testing.Short() {
		step = 1001
	}
	for bit := 0; bit < 8*len(good); bit += step {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r := n.open(t)
		if !use(t, r, "hello") {
			t.Fatalf("bit %d: the Function is not there", bit)
		}
		r.Close()
		if file, good = snapshotFile(t, n, dir); kv.DigestOf(good).String() != filepath.Base(file) {
			t.Fatalf("bit %d: the snapshot was not mended", bit)
		}
	}
}

// snapshotFile is the file of the only Snapshot.
func snapshotFile(t *testing.T, n node, dir string) (file string, content []byte) {
	t.Helper()
	page, err := n.store.List(t.Context(), kv.ListOptions{Prefix: "node/snapshots/"})
	if err != nil || len(page.Entries) != 1 {
		t.Fatalf("%d snapshots, %v", len(page.Entries), err)
	}
	digest := string(page.Entries[0].Metadata)
	file = filepath.Join(dir, digest[:2], digest)
	if content, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	return file, content
}

// What was not used for longest makes room, comes back when it is used, and what
// is used all the time stays.
func TestCodeMemory(t *testing.T) {
	const functions, memory = 40, 120 << 10
	r, err := newNode(t).tryOpen(t, deploy.Config{CodeMemory: memory})
	if err != nil {
		t.Fatal(err)
	}
	name := func(n int) string { return fmt.Sprint("f", n) }
	for n := range functions {
		mustDeploy(t, r, deploy.Local, name(n), deploy.Upload{Module: guest(byte(n))})
	}
	for range 2 {
		for n := range functions {
			if !use(t, r, name(n)) || !use(t, r, "f0") {
				t.Fatalf("%s is not there", name(n))
			}
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); r.CodeBytes() > memory; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are taken, want at most %d", r.CodeBytes(), memory)
		}
	}
	loaded := r.Loaded()
	if len(loaded) == 0 || len(loaded) == functions || !slices.Contains(loaded, "f0") || !slices.Contains(loaded, name(functions-1)) {
		t.Errorf("loaded: %v", loaded)
	}
}
