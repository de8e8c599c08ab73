package badgerkv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// prepareDir makes dir and finds out whether it can be written, so that the
// user does not have to read it out of an error of the database.
func prepareDir(dir string) error {
	if dir == "" {
		return fmt.Errorf("open store: no directory given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return unwritable(dir, err)
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

func unwritable(dir string, err error) error {
	return fmt.Errorf("data directory %s cannot be written; make it writable for this user or choose another one: %w", dir, err)
}

// openError explains why Badger did not open. Badger formats its causes instead
// of wrapping them, hence the look at the text.
func openError(dir string, err error) error {
	if !isLocked(err) {
		return fmt.Errorf("open store in %s: %w", dir, err)
	}
	return inUse(dir)
}

func isLocked(err error) bool {
	return errors.Is(err, unix.EWOULDBLOCK) || strings.Contains(err.Error(), "Cannot acquire directory lock")
}

// patience is how long a lock is waited for. Whoever starts another program has, in
// that one and for an instant, all files that are open here: they keep locks for as
// long that were just given up. It is counted in attempts, not by the clock: a process that
// stands still for longer than a lock is held has not waited.
const (
	patience     = 200 // attempts, together a second at least
	patiencePace = 5 * time.Millisecond
)

// unlocked is what open returns, which is called again while somebody has the lock.
func unlocked[T any](open func() (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		v, err := open()
		if err == nil || !isLocked(err) || attempt == patience {
			return v, err
		}
		time.Sleep(patiencePace)
	}
}

func inUse(dir string) error {
	return fmt.Errorf("%s is in use by %s; stop it or choose another directory", dir, owner(dir))
}

// Lock keeps other processes, and Open, from using a directory, until unlock is
// called. The lock is the one that Badger takes. One that somebody has is waited for, a
// second long.
func Lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock store: %w", err)
	}
	_, err = unlocked(func() (struct{}, error) { return struct{}{}, flock(f) })
	if err != nil {
		f.Close()
		return nil, inUse(dir)
	}
	return func() { f.Close() }, nil
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			return err
		}
	}
}

func owner(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, "LOCK")) // advisory: Badger's lock is on the directory
	if err != nil || len(pid) == 0 {
		return "another process"
	}
	return "process " + strings.TrimSpace(string(pid))
}
