package datadir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/datadir"
)

func TestClaim(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{"", ""},
		{"mayfly data 1\n", ""},
		{"mayfly data 1", ""},
		{"mayfly data 2\n", "written by a newer Mayfly (format 2, this one knows 1): run that version"},
		{"mayfly data 999\n", "format 999"},
		{"mayfly data 0\n", "damaged"},
		{"mayfly data 01\n", "damaged"},
		{"mayfly data +1\n", "damaged"},
		{"mayfly dat! 1\n", "damaged"},
		{"mayfly restore has not finished\n", "remove it and run mayfly restore again"},
	} {
		d := datadir.Dir(t.TempDir())
		if c.format != "" {
			if err := os.WriteFile(d.FormatFile(), []byte(c.format), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := d.Claim()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: got %v, want %q", c.format, err, c.want)
		}
		if text, err := os.ReadFile(d.FormatFile()); c.format != "" && (err != nil || string(text) != c.format) {
			t.Errorf("%q: the file was changed to %q, %v", c.format, text, err)
		}
	}
}

func TestClaimNew(t *testing.T) {
	d := datadir.Dir(filepath.Join(t.TempDir(), "a", "b"))
	if err := d.Check(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Check: got %v, want ErrNotExist", err)
	}
	for range 2 {
		if err := d.Claim(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(string(d))
	if err != nil || len(files) != 1 || files[0].Name() != "format" {
		t.Errorf("got %v, %v, want the file format alone", files, err)
	}
}

func TestRestore(t *testing.T) {
	d := datadir.Dir(filepath.Join(t.TempDir(), "new"))
	if err := d.BeginRestore(); err != nil {
		t.Fatal(err)
	}
	if err := d.Claim(); !errors.Is(err, datadir.ErrUnfinished) {
		t.Errorf("Claim before the end: got %v, want ErrUnfinished", err)
	}
	if err := d.BeginRestore(); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a second restore: got %v", err)
	}
	if err := d.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	if err := d.Claim(); err != nil {
		t.Errorf("Claim afterwards: %v", err)
	}
}

// A process that was killed before a restore began leaves nothing that stands in
// the way of the next.
func TestRestoreAfterKill(t *testing.T) {
	d := datadir.Dir(t.TempDir())
	if err := os.WriteFile(filepath.Join(string(d), ".format-123"), []byte("mayfly res"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.BeginRestore(); err != nil {
		t.Error(err)
	}
	if err := d.Claim(); !errors.Is(err, datadir.ErrUnfinished) {
		t.Errorf("got %v, want ErrUnfinished", err)
	}
}
