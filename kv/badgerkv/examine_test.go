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

// TestExamine looks through a database that was opened several times and whose
// process was killed, and changes nothing in it.
func TestExamine(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		s := mustOpen(t, badgerkv.Config{Dir: dir})
		if i%2 == 0 {
			mustPut(t, s, "large", make([]byte, 100_000*(i+1)), kv.PutOptions{})
		}
		mustClose(t, s)
	}
	examineKilled(t, dir, 61)
	examineOnce(t, dir, 61) // again, as after the first time
}

func examineKilled(t *testing.T, dir string, want int) {
	t.Helper()
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
	examineOnce(t, dir, want)
}

func examineOnce(t *testing.T, dir string, want int) {
	t.Helper()
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
	if err != nil || entries != want {
		t.Errorf("got %d entries, %v, want %d", entries, err, want)
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
