package natskv_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
)

// onDisk is how many bytes of blobs a node keeps.
func onDisk(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func isKept(dir string, d kv.Digest) bool {
	_, err := os.Stat(filepath.Join(dir, "blobs", d.String()[:2], d.String()))
	return err == nil
}

// TestCache: a node keeps as many blobs as it may, those that it used last and those that
// it needs, and gets the others again; those that it needs are there without the cluster.
func TestCache(t *testing.T) {
	const size, most = 100_000, 450_000
	server := mustServer(t, t.TempDir(), -1)
	dir := t.TempDir()
	var needed atomic.Pointer[kv.Digest]
	cfg := natskv.Config{URL: server.ClientURL(), Dir: dir, Cache: most,
		Needed: func() (map[kv.Digest]bool, bool) {
			if d := needed.Load(); d != nil {
				return map[kv.Digest]bool{*d: true}, true
			}
			return nil, false
		}}
	s := mustOpen(t, cfg)
	var all []kv.Digest
	put := func(n int) {
		t.Helper()
		for range n {
			d, err := s.Blobs().Put(t.Context(), bytes.Repeat([]byte{byte(len(all))}, size))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, d)
		}
	}
	put(6)
	if got := onDisk(t, dir); got != 6*size {
		t.Errorf("before it is known what is needed: %d bytes are kept, want all %d", got, 6*size)
	}
	needed.Store(&all[0])
	if _, err := s.Blobs().Get(t.Context(), all[1]); err != nil {
		t.Fatal(err)
	}
	put(1)
	if got := onDisk(t, dir); got > most {
		t.Errorf("%d bytes are kept, want %d at most", got, most)
	}
	for i, want := range []bool{true, true, false, false, false, true, true} { // needed, used, older, newer
		if got := isKept(dir, all[i]); got != want {
			t.Errorf("blob %d is kept: %v, want %v", i, got, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, cfg) // counts what is there
	put(3)
	if got := onDisk(t, dir); got > most || !isKept(dir, all[0]) {
		t.Errorf("after a restart: %d bytes are kept, want %d at most, with what is needed", got, most)
	}
	for i, d := range all {
		if data, err := s.Blobs().Get(t.Context(), d); err != nil || len(data) != size {
			t.Errorf("Get of blob %d: got %d bytes, %v", i, len(data), err)
		}
	}
	stop(server)
	if data, err := s.Blobs().Get(t.Context(), all[0]); err != nil || len(data) != size {
		t.Errorf("without the cluster: got %d bytes of what is needed, %v", len(data), err)
	}
	for i, d := range all {
		if !isKept(dir, d) {
			_, err := s.Blobs().Get(t.Context(), d)
			wantErr(t, "Get without the cluster", err, kv.ErrUnavailable)
			return
		}
		if i == len(all)-1 {
			t.Error("nothing was removed")
		}
	}
}

// TestCacheHammer has many use a cache that is too small for what they use.
func TestCacheHammer(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	dir := t.TempDir()
	s := mustOpen(t, natskv.Config{URL: server.ClientURL(), Dir: dir, Cache: 20_000})
	var all []kv.Digest
	for i := range 10 {
		d, err := s.Blobs().Put(t.Context(), bytes.Repeat([]byte{byte(i)}, 5000))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := range 40 {
				part := make([]byte, 100)
				if err := kv.ReadPart(t.Context(), s.Blobs(), all[i*7%10], part, 4000); err != nil || part[0] != byte(i*7%10) {
					t.Errorf("ReadPart: got %d, %v", part[0], err)
				}
				if data, err := s.Blobs().Get(t.Context(), all[i*3%10]); err != nil || len(data) != 5000 {
					t.Errorf("Get: got %d bytes, %v", len(data), err)
				}
			}
		})
	}
	readers.Wait()
	if got := onDisk(t, dir); got > 25_000 {
		t.Errorf("%d bytes are kept, want 20,000 and what came last", got)
	}
}
