//go:build !linux

package memory

import (
	"errors"
	"os"
)

// File needs Linux.
func (i *Image) File() (file *os.File, zero []bool, err error) {
	return nil, nil, errors.ErrUnsupported
}

// OpenImage needs Linux.
func OpenImage(*os.File, []bool) (*Image, error) { return nil, errors.ErrUnsupported }

// OpenPagemap needs Linux.
func OpenPagemap() error { return errors.ErrUnsupported }
