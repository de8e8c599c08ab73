// Package sdktar packs the Go SDK for new projects: one text file, so that
// changes of it can be reviewed, and the same bytes for the same files.
package sdktar

import (
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/tools/txtar"
)

// Pack archives the files below dir that a project needs to build with the SDK
// and to test with it: all but the SDK's own tests.
func Pack(dir fs.FS) ([]byte, error) {
	var a txtar.Archive
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if skipped(d) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		data, err := fs.ReadFile(dir, name)
		a.Files = append(a.Files, txtar.File{Name: name, Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pack SDK: %w", err)
	}
	packed := txtar.Format(&a)
	if n := len(txtar.Parse(packed).Files); n != len(a.Files) {
		return nil, fmt.Errorf("pack SDK: %d files became %d; one of them has a line like a txtar header", len(a.Files), n)
	}
	return packed, nil
}

func skipped(d fs.DirEntry) bool {
	name := d.Name()
	if d.IsDir() {
		return name == "testdata" || len(name) > 1 && name[0] == '.'
	}
	return name[0] == '.' || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".wasm")
}
