package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
)

const restoredEntries = 3000

// mustBackupFile writes a backup of many entries.
func mustBackupFile(t *testing.T) (file string) {
	t.Helper()
	store := memkv.New(memkv.Config{})
	for i := range restoredEntries {
		if _, err := store.Put(t.Context(), fmt.Sprintf("kv/0/%d", i), bytes.Repeat([]byte{byte(i)}, 20_000), kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	view, err := store.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := backup.Write(t.Context(), &b, backup.Source{View: view, Blobs: memkv.NewBlobs()}); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestKilledDuringRestore ends a restore at random moments. What it leaves is no
// data directory, or one that refuses to be used, or the whole.
func TestKilledDuringRestore(t *testing.T) {
	file := mustBackupFile(t)
	counts := map[string]int{}
	// How long a restore takes depends on the machine: aim for its midst.
	most := 700 * time.Millisecond
	for round := 0; round < 12 || counts["unfinished"] == 0 && round < 100; round++ {
		dir := filepath.Join(t.TempDir(), "data")
		cmd := exec.Command("mayfly", "restore", file, "--data", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(most))))
		cmd.Process.Kill()
		cmd.Wait() // it was killed, or had ended
		left := leftBehind(t, dir)
		switch counts[left]++; left {
		case "nothing":
			most += most / 4
		case "whole":
			most -= most / 5
		}
	}
	t.Logf("a killed restore left: %v", counts)
	if counts["unfinished"] == 0 {
		t.Error("no restore was killed in its midst: the test shows nothing")
	}
}

func leftBehind(t *testing.T, dir string) string {
	t.Helper()
	if datadir.Dir(dir).CheckEmpty() == nil {
		return "nothing"
	}
	data, err := node.OpenData(node.DataConfig{Dir: datadir.Dir(dir)})
	if errors.Is(err, datadir.ErrUnfinished) {
		out, err := exec.Command("mayfly", "serve", "--data", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "remove it and run mayfly restore again") {
			t.Errorf("serve says %q, %v", out, err)
		}
		return "unfinished"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	entries := 0
	for cursor := "first"; cursor != ""; {
		page, err := data.Store.List(t.Context(), kv.ListOptions{Cursor: strings.TrimPrefix(cursor, "first")})
		if err != nil {
			t.Fatal(err)
		}
		entries += len(page.Entries)
		cursor = page.Cursor
	}
	if entries != restoredEntries {
		t.Errorf("a directory that nodes start on has %d of %d entries", entries, restoredEntries)
	}
	return "whole"
}
