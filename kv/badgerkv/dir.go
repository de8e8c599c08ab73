package badgerkv

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	if !strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return fmt.Errorf("open store in %s: %w", dir, err)
	}
	return inUse(dir)
}

func inUse(dir string) error {
	return fmt.Errorf("%s is in use by %s; stop it or choose another directory", dir, owner(dir))
}

// Lock keeps other processes, and Open, from using a directory, until unlock is
// called. The lock is the one that Badger takes.
func Lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock store: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, inUse(dir)
	}
	return func() { f.Close() }, nil
}

func owner(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, "LOCK")) // advisory: Badger's lock is on the directory
	if err != nil || len(pid) == 0 {
		return "another process"
	}
	return "process " + strings.TrimSpace(string(pid))
}
