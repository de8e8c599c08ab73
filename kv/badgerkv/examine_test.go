package badgerkv_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// TestExamine looks through a database whose process was killed, and changes
// nothing in it.
func TestExamine(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, "idle-filled", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1)) // ready
	if _, err := badgerkv.Lock(dir); err == nil {
		t.Error("locked a directory that is in use")
	}
	kill(t, cmd)
	before := hashes(t, dir)
	unlock, err := badgerkv.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := badgerkv.Open(badgerkv.Config{Dir: dir}); err == nil {
		t.Error("opened a directory that is locked")
	}
	entries := 0
	err = badgerkv.Examine(t.Context(), dir, t.TempDir(), badgerkv.Examiner{
		File:    func(d *badgerkv.DamageError) { t.Errorf("damage: %v", d) },
		Damaged: func(key string, err error) { t.Errorf("key %q: %v", key, err) },
		Entry: func(e kv.Entry) error {
			entries++
			return nil
		},
	})
	if err != nil || entries != 60 {
		t.Errorf("got %d entries, %v, want 60", entries, err)
	}
	if after := hashes(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the database was changed: %v, was %v", after, before)
	}
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
}

// hashes are the digests of all files by name.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		sums[filepath.Base(path)] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}
