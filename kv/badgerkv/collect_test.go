//go:build !race

// Badger 4.9.6 itself has a race here: a collection reads the newest version in
// the memtable (valueLog.rewrite calls DB.MaxVersion) while commits write it. It
// only feeds the precaution that collectOnce does not need.

package badgerkv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// TestCollect overwrites a few large values until the first file of them is
// reclaimed, without anything else being written.
func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, badgerkv.Config{Dir: dir, NoSync: true})
	const keys, size, maxRounds = 20, 1 << 20, 150
	value := func(round, i int) []byte { return bytes.Repeat([]byte{byte(round), byte(i)}, size/2) }
	first := filepath.Join(dir, "000001.vlog")
	round := 0
	for ; round < maxRounds; round++ {
		for i := range keys {
			mustPut(t, s, fmt.Sprint(i), value(round, i), kv.PutOptions{})
		}
		if _, err := os.Stat(first); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if round == maxRounds {
		t.Errorf("%d MiB were written and nothing reclaimed", maxRounds*keys)
	}
	for i := range keys {
		if e, err := s.Get(t.Context(), fmt.Sprint(i)); err != nil || !bytes.Equal(e.Value, value(min(round, maxRounds-1), i)) {
			t.Errorf("key %d has another value (%v)", i, err)
		}
	}
	t.Logf("reclaimed after %d MiB", (round+1)*keys)
}
