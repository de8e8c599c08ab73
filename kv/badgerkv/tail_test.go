package badgerkv_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// FuzzDamagedWithin wants no panic, and that zeros at the end change nothing.
func FuzzDamagedWithin(f *testing.F) {
	dir := f.TempDir()
	s := mustOpen(f, badgerkv.Config{Dir: dir})
	if _, err := s.Put(f.Context(), "k", make([]byte, 33_000), kv.PutOptions{}); err != nil {
		f.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "000001.vlog"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(make([]byte, 40))
	f.Add(log)
	f.Add(log[:len(log)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		zeros := append(bytes.Clone(data), make([]byte, 100)...)
		if len(data) > 20 && badgerkv.DamagedWithin(zeros) != badgerkv.DamagedWithin(data) {
			if badgerkv.DamagedWithin(zeros) { // zeros may complete an entry, and never break one
				t.Error("zeros at the end are damage")
			}
		}
	})
}
