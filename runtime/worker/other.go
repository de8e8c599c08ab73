//go:build !linux

package worker

import (
	"errors"
	"fmt"
	"io"

	"github.com/mayfly-run/mayfly/runtime"
)

// Workers needs Linux.
type Workers struct{ runtime.Isolation }

// Open needs Linux.
func Open(Config) (*Workers, error) {
	return nil, fmt.Errorf("worker processes need Linux's namespaces and seccomp: %w", errors.ErrUnsupported)
}

// Close does nothing.
func (*Workers) Close() error { return nil }

// Child needs Linux.
func Child(stderr io.Writer) int {
	fmt.Fprintln(stderr, "worker processes need Linux")
	return 1
}
