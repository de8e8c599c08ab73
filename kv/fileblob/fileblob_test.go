package fileblob_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/fileblob"
	"github.com/mayfly-run/mayfly/kv/kvtest"
)

func mustOpen(t *testing.T, dir string) *fileblob.Blobs {
	t.Helper()
	blobs, err := fileblob.Open(dir)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return blobs
}

func mustPut(t *testing.T, blobs *fileblob.Blobs, data string) (kv.Digest, string) {
	t.Helper()
	d, err := blobs.Put(t.Context(), []byte(data))
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	return d, filepath.Join(d.String()[:2], d.String())
}

func TestBlobs(t *testing.T) {
	kvtest.RunBlobs(t, func(t *testing.T) kv.Blobs {
		return mustOpen(t, filepath.Join(t.TempDir(), "[a*?]", "blobs"))
	})
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	blobs := mustOpen(t, dir)
	d, name := mustPut(t, blobs, "some data")
	for _, damaged := range []string{"Some data", "some dat", ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if data, err := blobs.Get(t.Context(), d); !errors.Is(err, kv.ErrCorrupt) || data != nil {
			t.Errorf("Get of %q = %q, %v, want ErrCorrupt", damaged, data, err)
		}
	}
	// The last one has another length: putting the blob again repairs it.
	mustPut(t, blobs, "some data")
	if data, err := blobs.Get(t.Context(), d); err != nil || string(data) != "some data" {
		t.Errorf("Get after repair = %q, %v", data, err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	d, name := mustPut(t, mustOpen(t, dir), "kept")
	leftover := filepath.Join(dir, "tmp", "123")
	if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	blobs := mustOpen(t, dir)
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unfinished write is still there (%v)", err)
	}
	if data, err := blobs.Get(t.Context(), d); err != nil || string(data) != "kept" {
		t.Errorf("Get = %q, %v, want kept", data, err)
	}
	for path, want := range map[string]os.FileMode{name: 0o600, filepath.Dir(name): os.ModeDir | 0o700} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: got mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

// TestFailedPut leaves nothing behind, neither a blob nor a temporary file.
func TestFailedPut(t *testing.T) {
	dir := t.TempDir()
	blobs := mustOpen(t, dir)
	d := kv.DigestOf([]byte("data"))
	blocked := filepath.Join(dir, d.String()[:2])
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // where the directory should be
		t.Fatal(err)
	}
	if _, err := blobs.Put(t.Context(), []byte("data")); err == nil {
		t.Error("Put worked without a directory to put into")
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v, want no temporary files", left, err)
	}
	if list, err := blobs.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v, want none", list, err)
	}
}
