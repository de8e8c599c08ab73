package audit

import (
	"errors"
	"os"
	"path/filepath"
)

// osFile is a file of the system.
type osFile struct{ *os.File }

// Size implements file.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// syncFolder keeps a file that is new from getting lost with the power.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
