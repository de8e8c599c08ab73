package datadir_test

import (
	"os"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/datadir"
)

// FuzzFormat wants that no other text than the right one is taken.
func FuzzFormat(f *testing.F) {
	for _, text := range []string{"mayfly data 1\n", "mayfly data 1", "mayfly data 2\n", "mayfly restore has not finished\n", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := datadir.Dir(t.TempDir())
		if err := os.WriteFile(d.FormatFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(); err == nil && text != "mayfly data 1\n" && text != "mayfly data 1" {
			t.Errorf("%q is taken for a format", text)
		}
	})
}
