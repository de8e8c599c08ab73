package certs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/certs"
)

// Once it is closed nothing is written, whoever is about to, so that the directory can
// be removed.
func TestFolderCloses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	kept, end := certs.NewFolder(dir)
	var writing sync.WaitGroup
	begun := make(chan struct{}, 4)
	for n := range 4 {
		writing.Go(func() {
			for err := error(nil); err == nil; err = kept.Put(t.Context(), strconv.Itoa(n), []byte("kept")) {
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	<-begun
	end()
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	writing.Wait()
	if kept.Put(t.Context(), "late", nil) == nil || kept.Delete(t.Context(), "0") == nil {
		t.Error("it was changed after its end")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there again: %v", err)
	}
}
