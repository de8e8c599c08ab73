package badgerkv_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
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
// still be written and closed.
func TestDamage(t *testing.T) {
	const keys = 60
	for _, pattern := range []string{"*.vlog", "*.sst", "MANIFEST", "KEYREGISTRY"} {
		t.Run(pattern, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, badgerkv.Config{Dir: dir, NoSync: true})
			for i := range keys {
				mustPut(t, s, fmt.Sprint(i), damageValue(i), kv.PutOptions{Metadata: fmt.Append(nil, i)})
			}
			mustClose(t, s)
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			counts := map[string]int{}
			for round := range 40 {
				restore := flip(t, r, dir, pattern)
				counts[openDamaged(t, dir, keys)]++
				restore()
				if t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
			}
			t.Logf("40 flips: %v", counts)
		})
	}
}

// TestDamagedTail damages the last file of the value log, of which Badger would cut
// off everything from there on, in the middle. Only one value is lost.
func TestDamagedTail(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, badgerkv.Config{Dir: dir})
	for i := range 9 {
		mustPut(t, s, fmt.Sprint(i), bytes.Repeat([]byte{byte(i)}, 40_000), kv.PutOptions{})
	}
	mustClose(t, s)
	file := filepath.Join(dir, "000001.vlog")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[4*40_100+100] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s = mustOpen(t, badgerkv.Config{Dir: dir})
		lost := 0
		for i := range 9 {
			if e, err := s.Get(t.Context(), fmt.Sprint(i)); errors.Is(err, kv.ErrCorrupt) {
				lost++
			} else if err != nil || len(e.Value) != 40_000 {
				t.Errorf("key %d: got %d bytes, %v", i, len(e.Value), err)
			}
		}
		if lost != 1 {
			t.Errorf("got %d values lost, want 1", lost)
		}
		mustPut(t, s, "new", damageValue(2), kv.PutOptions{})
		mustClose(t, s)
	}
}

// TestDamagedWhileOpen flips single bits of a table that is open, after it was looked
// at. What is read then is right or an error, and Badger's panics end nothing. A key
// that is damaged hides its entry, which only looking at the table again would tell.
func TestDamagedWhileOpen(t *testing.T) {
	const keys = 200
	dir := t.TempDir()
	s := mustOpen(t, badgerkv.Config{Dir: dir, NoSync: true})
	for i := range keys {
		mustPut(t, s, fmt.Sprint(i), damageValue(i%2), kv.PutOptions{Metadata: fmt.Append(nil, i)})
	}
	mustClose(t, s)
	s = mustOpen(t, badgerkv.Config{Dir: dir, NoSync: true})
	file, size := mustTable(t, dir)
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 400 {
		at, bit := r.Int64N(size), byte(1)<<r.IntN(8)
		mustFlip(t, file, at, bit)
		n, err := viewAll(t, s)
		switch {
		case errors.Is(err, kv.ErrCorrupt):
			found++
		case err != nil || n > keys:
			t.Fatalf("bit %#x of byte %d: got %d entries, %v", bit, at, n, err)
		}
		mustFlip(t, file, at, bit)
	}
	if n, err := viewAll(t, s); err != nil || n != keys || found == 0 {
		t.Errorf("in the end: got %d entries, %v; %d flips were errors", n, err, found)
	}
}

// mustTable opens the first table.
func mustTable(t *testing.T, dir string) (file *os.File, size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no table (%v)", err)
	}
	if file, err = os.OpenFile(files[0], os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return file, info.Size()
}

func mustFlip(t *testing.T, file *os.File, at int64, bit byte) {
	t.Helper()
	var b [1]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bit
	if _, err := file.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// viewAll counts the entries of a view, whose values are as they were put.
func viewAll(t *testing.T, s *badgerkv.Store) (n int, err error) {
	t.Helper()
	v, err := s.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	err = v.Entries(t.Context(), func(e kv.Entry) error {
		n++
		if i, err := strconv.Atoi(e.Key); err != nil || !bytes.Equal(e.Value, damageValue(i%2)) {
			t.Errorf("key %q: got %d bytes", e.Key, len(e.Value))
		}
		return nil
	})
	return n, err
}

// flip flips one bit in the used part of the first file that matches, and
// returns what puts the whole directory back.
func flip(t *testing.T, r *rand.Rand, dir, pattern string) (restore func()) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	before := filepath.Join(t.TempDir(), "before")
	if err := os.CopyFS(before, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	damaged, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged[r.IntN(len(bytes.TrimRight(damaged, "\x00")))] ^= 1 << r.IntN(8)
	if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(before))); err != nil {
			t.Fatal(err)
		}
	}
}

// openDamaged says what became of a flip.
func openDamaged(t *testing.T, dir string, keys int) string {
	t.Helper()
	s, err := badgerkv.Open(badgerkv.Config{Dir: dir, NoSync: true})
	if err != nil {
		if text := err.Error(); !strings.Contains(text, "open store in") || strings.Contains(text, "goroutine") {
			t.Errorf("Open: got %v, want what is damaged", err)
		}
		return "refused"
	}
	found := readDamaged(t, s, keys)
	mustPut(t, s, "other", damageValue(2), kv.PutOptions{})
	mustClose(t, s)
	if found > 0 {
		return "error when read"
	}
	return "harmless"
}

// readDamaged returns how many reads said ErrCorrupt.
func readDamaged(t *testing.T, s kv.Store, keys int) (found int) {
	t.Helper()
	for i := range keys {
		e, err := s.Get(t.Context(), fmt.Sprint(i))
		switch {
		case err == nil && bytes.Equal(e.Value, damageValue(i)) && string(e.Metadata) == fmt.Sprint(i):
		case errors.Is(err, kv.ErrCorrupt) && e.Value == nil:
			found++
		default:
			t.Errorf("key %d: got %d bytes, error %v", i, len(e.Value), err)
		}
	}
	if _, err := s.List(t.Context(), kv.ListOptions{}); err != nil && !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("List: %v", err)
	}
	return found
}
