package fileblob

import (
	"fmt"
	"os"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Look is how long a blob is, in bytes, and when it was written, or touched last.
func (s *Blobs) Look(d kv.Digest) (size int64, touched time.Time, err error) {
	info, err := os.Stat(s.path(d))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("look at blob: %w", err)
	}
	return info.Size(), info.ModTime(), nil
}

// Touch keeps when a blob was used.
func (s *Blobs) Touch(d kv.Digest, at time.Time) error {
	if err := os.Chtimes(s.path(d), at, at); err != nil {
		return fmt.Errorf("touch blob: %w", err)
	}
	return nil
}
