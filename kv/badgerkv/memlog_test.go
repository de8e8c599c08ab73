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

const logBegin = 20 // bytes of a log before its first entry

// mustLog returns a directory whose process was killed after n writes of sizes in
// turn, its log of recent writes, and where each write ends in it.
func mustLog(t testing.TB, n int, sizes ...int) (dir, file string, ends []int) {
	t.Helper()
	dir = t.TempDir()
	live := filepath.Join(dir, "live")
	s := mustOpen(t, badgerkv.Config{Dir: live})
	for i := range n {
		value := bytes.Repeat([]byte{byte(i + 1)}, sizes[i%len(sizes)])
		if _, err := s.Put(t.Context(), fmt.Sprint(i), value, kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, _, used := mustRead(t, live)
		ends = append(ends, used)
	}
	dir = filepath.Join(dir, "killed") // what a kill leaves: the kernel has all that was written
	if err := os.CopyFS(dir, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, _, _ = mustRead(t, dir)
	return dir, file, ends
}

// mustRead reads the log in a directory, and how much of it is whole.
func mustRead(t testing.TB, dir string) (file string, data []byte, whole int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got the logs %v, %v, want one", files, err)
	}
	if data, err = os.ReadFile(files[0]); err != nil {
		t.Fatal(err)
	}
	whole, _, _ = badgerkv.ReadLog(data)
	return files[0], data[:min(len(data), whole+100)], whole // many megabytes of zeros follow
}

// Every flipped bit of a log is found, and which one it is.
func TestFlippedBits(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and nothing in it runs at the same time: run it without -short")
	}
	dir, _, ends := mustLog(t, 6, 10, 1000, 30_000)
	_, data, used := mustRead(t, dir)
	for bit := logBegin * 8; bit < used*8; bit++ {
		if bit > (ends[1]+200)*8 && bit%31 != 0 {
			continue // inside of a long value, mostly
		}
		data[bit/8] ^= 1 << (bit % 8)
		_, damaged, flipped := badgerkv.ReadLog(data)
		data[bit/8] ^= 1 << (bit % 8)
		if !damaged || flipped != bit {
			t.Fatalf("bit %d of byte %d: got damaged %v, bit %d", bit%8, bit/8, damaged, flipped)
		}
	}
}

// A write that was cut off is no damage, wherever it was cut, and although pages of
// it are missing.
func TestCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and nothing in it runs at the same time: run it without -short")
	}
	dir, _, ends := mustLog(t, 9, 10, 1000, 5000, 30_000)
	_, data, _ := mustRead(t, dir)
	check := func(i int, data []byte, what string) {
		t.Helper()
		if at, damaged, _ := badgerkv.ReadLog(data); damaged || at != ends[i-1] {
			t.Fatalf("%s of write %d: damaged %v, whole up to %d, want %d", what, i, damaged, at, ends[i-1])
		}
	}
	for i := 1; i < len(ends); i++ {
		begin, end := ends[i-1], ends[i]
		for cut := begin; cut < end; cut += 1 + (end-begin)/2000 {
			torn := append(bytes.Clone(data[:cut]), make([]byte, 50_000)...)
			check(i, torn, fmt.Sprintf("the first %d bytes", cut-begin))
		}
		whole := append(bytes.Clone(data[:end]), make([]byte, 50_000)...)
		for page := begin &^ 4095; page < end; page += 4096 {
			torn := bytes.Clone(whole)
			clear(torn[max(page, begin):min(page+4096, end)])
			check(i, torn, fmt.Sprintf("all but the page at %d", page))
		}
	}
}

// Other damage with writes behind it is found, and never taken for one bit.
func TestDamagedLog(t *testing.T) {
	dir, _, ends := mustLog(t, 9, 10, 1000, 5000, 30_000)
	_, data, used := mustRead(t, dir)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 400 {
		damaged := bytes.Clone(data)
		size := []int{2, 4, 100, 512, 4096}[round%5]
		at := logBegin + r.IntN(ends[6]-logBegin)
		for i := range min(size, used-at) {
			if damaged[at+i] = 0; round%2 == 0 {
				damaged[at+i] = data[at+i] ^ byte(1+r.IntN(255))
			}
		}
		if bytes.Equal(damaged, data) {
			continue
		}
		whole, found, bit := badgerkv.ReadLog(damaged)
		if !found || whole > at {
			t.Fatalf("seed %d: %d bytes from %d: damaged %v, whole up to %d, bit %d", seed, size, at, found, whole, bit)
		}
	}
}

// A store refuses to open on damage in its log, and says what to do. One bit is put
// back; what is damaged otherwise is cut off on request, and kept.
func TestMend(t *testing.T) {
	values := func(t *testing.T, dir string) (found int) {
		s := mustOpen(t, badgerkv.Config{Dir: dir})
		defer mustClose(t, s)
		for i := range 9 {
			if _, err := s.Get(t.Context(), fmt.Sprint(i)); err == nil {
				found++
			} else if !errors.Is(err, kv.ErrNotFound) {
				t.Error(err)
			}
		}
		return found
	}
	for _, tt := range []struct {
		name   string
		damage func([]byte)
		advice string
		found  int
	}{
		{"bit", func(b []byte) { b[700] ^= 4 }, "mayfly doctor --repair", 9},
		{"two bits", func(b []byte) { b[700] ^= 4; b[4000] ^= 1 }, "mayfly doctor --repair", 9},
		{"bytes", func(b []byte) { copy(b[700:], "anything") }, "mayfly doctor --accept-loss", 1},
		{"bit, then bytes", func(b []byte) { b[700] ^= 4; copy(b[4000:], "anything") }, "mayfly doctor --accept-loss", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, file, _ := mustLog(t, 9, 10, 1000, 1000)
			_, data, _ := mustRead(t, dir)
			tt.damage(data)
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := badgerkv.Open(badgerkv.Config{Dir: dir})
			if !errors.Is(err, kv.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(file)) || !strings.Contains(err.Error(), tt.advice) {
				t.Fatalf("Open: got %v, want the file and %s", err, tt.advice)
			}
			mended, err := badgerkv.MendLogs(dir, false)
			if err != nil || (len(mended) == 1) != (tt.found == 9) {
				t.Fatalf("without loss: got %+v, %v", mended, err)
			}
			if tt.found < 9 {
				mended, err = badgerkv.MendLogs(dir, true)
				kept, readErr := os.ReadFile(file + ".damaged")
				if err != nil || len(mended) != 1 || mended[0].Kept == "" || readErr != nil || !bytes.Equal(kept, data) {
					t.Fatalf("with loss: got %+v, %v; kept %d bytes, %v", mended, err, len(kept), readErr)
				}
			}
			if got := values(t, dir); got != tt.found {
				t.Errorf("got %d values, want %d", got, tt.found)
			}
			s := mustOpen(t, badgerkv.Config{Dir: dir})
			if revision := mustPut(t, s, "new", nil, kv.PutOptions{}); tt.found < 9 && revision < 1<<20 {
				t.Errorf("got revision %d, which may have been given before", revision)
			}
		})
	}
}

// FuzzReadLog wants no panic, that what is whole is so without the rest, and that
// a bit that is said to be flipped makes more of it whole.
func FuzzReadLog(f *testing.F) {
	dir, _, ends := mustLog(f, 3, 10, 700, 10)
	_, data, used := mustRead(f, dir)
	f.Add([]byte{})
	f.Add(make([]byte, 60))
	f.Add(data[:used])
	f.Add(data[:ends[1]+5])
	flipped := bytes.Clone(data[:used])
	flipped[300] ^= 1
	f.Add(flipped)
	f.Fuzz(func(t *testing.T, data []byte) {
		at, _, bit := badgerkv.ReadLog(data)
		if at > len(data) {
			t.Fatalf("%d of %d bytes are whole", at, len(data))
		}
		if again, damaged, _ := badgerkv.ReadLog(data[:at]); again != at || damaged {
			t.Errorf("the first %d bytes: got %d, damaged %v", at, again, damaged)
		}
		if bit < 0 {
			return
		}
		mended := bytes.Clone(data)
		mended[bit/8] ^= 1 << (bit % 8)
		if _, _, next := badgerkv.ReadLog(mended); next >= 0 && next/8 <= bit/8 {
			t.Errorf("after bit %d was put back, bit %d is flipped", bit, next)
		}
	})
}
