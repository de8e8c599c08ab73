package compile

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// dirLock excludes other goroutines, and other processes with the same file.
type dirLock struct {
	mu   sync.Mutex
	file *os.File
}

func newDirLock(path string) (*dirLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &dirLock{file: f}, nil
}

func (l *dirLock) do(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := flock(l.file, unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return errors.Join(f(), flock(l.file, unix.LOCK_UN))
}

func (l *dirLock) close() { l.file.Close() }

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

const workPrefix = "work-"

// newWorkDir makes a directory that removeAbandoned spares while it is open.
func newWorkDir(dir string) (*os.File, error) {
	path, err := os.MkdirTemp(dir, workPrefix)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return f, flock(f, unix.LOCK_EX)
}

// removeAbandoned removes the work directories of processes that ended: the
// kernel has dropped their locks.
func removeAbandoned(dir string) error {
	paths, err := withPrefix(dir, workPrefix)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := removeIfAbandoned(p); err != nil {
			return err
		}
	}
	return nil
}

func removeIfAbandoned(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // its process is just closing
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	if err := os.RemoveAll(path); !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil // a child of that process is just ending; the next one to open it goes on
}
