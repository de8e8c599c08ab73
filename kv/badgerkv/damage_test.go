package badgerkv_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

func damageValue(i int) []byte {
	return bytes.Repeat(fmt.Append(nil, i, "."), []int{30, 2000, 30_000}[i%3])
}

// TestDamage flips single bits in the files of a closed store. Then either
// opening says so, or whatever is read is right or an error, and the store can
// still be closed and, if it is a value that is damaged, written.
func TestDamage(t *testing.T) {
	const keys = 60
	for _, c := range []struct {
		pattern string
		missing bool // a damaged index can hide a key: no checksum of an entry finds that
	}{
		{"*.vlog", false},
		{"*.sst", true},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, badgerkv.Config{Dir: dir, NoSync: true})
			for i := range keys {
				mustPut(t, s, fmt.Sprint(i), damageValue(i), kv.PutOptions{Metadata: fmt.Append(nil, i)})
			}
			mustClose(t, s)
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			found := 0
			for round := range 15 {
				restore := flip(t, r, dir, c.pattern)
				found += openDamaged(t, dir, keys, c.missing)
				restore()
				if t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
			}
			t.Logf("%d calls found the damage", found)
		})
	}
}

// flip flips one bit in the used part of the first file that matches, and
// returns what undoes it.
func flip(t *testing.T, r *rand.Rand, dir, pattern string) (restore func()) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	used := len(bytes.TrimRight(whole, "\x00"))
	damaged := bytes.Clone(whole)
	damaged[r.IntN(used)] ^= 1 << r.IntN(8)
	write(damaged)
	return func() { write(whole) }
}

// openDamaged returns how many calls found the damage.
func openDamaged(t *testing.T, dir string, keys int, missing bool) (found int) {
	t.Helper()
	s, err := badgerkv.Open(badgerkv.Config{Dir: dir, NoSync: true})
	if err != nil {
		if !strings.Contains(err.Error(), "checksum mismatch") {
			t.Errorf("Open: got %v, want what is damaged", err)
		}
		return 1
	}
	found = readDamaged(t, s, keys, missing)
	// A second table would be compacted with the damaged one, which can end the
	// process: Badger panics in a goroutine of its own.
	if !missing {
		mustPut(t, s, "other", damageValue(2), kv.PutOptions{})
	}
	mustClose(t, s)
	return found
}

// readDamaged returns how many reads said ErrCorrupt.
func readDamaged(t *testing.T, s kv.Store, keys int, missing bool) (found int) {
	t.Helper()
	for i := range keys {
		e, err := s.Get(t.Context(), fmt.Sprint(i))
		switch {
		case err == nil && bytes.Equal(e.Value, damageValue(i)) && string(e.Metadata) == fmt.Sprint(i):
		case errors.Is(err, kv.ErrCorrupt) && e.Value == nil:
			found++
		case errors.Is(err, kv.ErrNotFound) && missing:
		default:
			t.Errorf("key %d: got %d bytes, error %v", i, len(e.Value), err)
		}
	}
	if _, err := s.List(t.Context(), kv.ListOptions{}); err != nil && !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("List: %v", err)
	}
	return found
}
