package backup_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv/backup"
)

// TestDamaged flips each bit of a small backup, cuts it off at each byte, and
// appends to it. Each time it is refused with the place.
func TestDamaged(t *testing.T) {
	s := inMemory(t, 0)
	for i := range 3 {
		s.mustPut(t, string(rune('a'+i)), []byte("value"), kvOptions(i))
	}
	file, _ := s.mustBackup(t)
	refused := 0
	refuse := func(what string, i int, b []byte) {
		_, err := backup.Verify(bytes.NewReader(b))
		if !errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), "byte ") {
			t.Errorf("%s %d: got %v, want ErrDamaged", what, i, err)
		}
		refused++
	}
	for i := range file {
		refuse("cut off at byte", i, file[:i])
		for bit := range 8 {
			b := bytes.Clone(file)
			b[i] ^= 1 << bit
			refuse("flip in byte", i, b)
		}
	}
	refuse("byte at the end of", len(file), append(bytes.Clone(file), 0))
	refuse("frame twice after", len(file), append(bytes.Clone(file), file[len(file)-60:]...))
	t.Logf("%d damaged backups of %d bytes refused", refused, len(file))
}

// TestDamagedLarge does so at random places of a larger one, with blobs, and looks
// whether the place that is told is where the damage is.
func TestDamagedLarge(t *testing.T) {
	s := inMemory(t, 0)
	s.mustFill(t)
	file, _ := s.mustBackup(t)
	for range 300 {
		at := rand.IntN(len(file))
		b := bytes.Clone(file)
		b[at] ^= 1 << rand.IntN(8)
		_, err := backup.Verify(bytes.NewReader(b))
		if !errors.Is(err, backup.ErrDamaged) {
			t.Fatalf("flip in byte %d: got %v, want ErrDamaged", at, err)
		}
		if offset := offsetIn(t, err); offset > at || at-offset > 80_000 {
			t.Errorf("flip in byte %d: got %v", at, err)
		}
	}
}

// FuzzVerify wants no panic and no more memory than the input has bytes, and that
// what is accepted restores.
func FuzzVerify(f *testing.F) {
	s := inMemory(f, 0)
	f.Add([]byte("mayfly backup 1\n"))
	empty, _ := s.mustBackup(f)
	f.Add(empty)
	s.mustPut(f, "a", []byte("value"), kvOptions(0))
	d, err := s.blobs.Put(f.Context(), []byte("blob"))
	if err != nil {
		f.Fatal(err)
	}
	s.mustPut(f, "b", nil, kvNamed(d))
	file, _ := s.mustBackup(f)
	f.Add(file)
	f.Add(append(bytes.Clone(file[:len(file)/2]), 0xff, 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, data []byte) {
		sum, err := backup.Verify(bytes.NewReader(data))
		if err != nil {
			return
		}
		to := inMemory(t, 0)
		again, err := backup.Restore(t.Context(), bytes.NewReader(data), to.store, to.blobs)
		if err != nil || again != sum || sum.Bytes != int64(len(data)) {
			t.Errorf("Restore = %+v, %v; Verify said %+v", again, err, sum)
		}
	})
}
