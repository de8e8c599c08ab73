package compile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// wazeroPrefix begins the names of the folders that wazero makes.
const wazeroPrefix = "wazero-"

// ownDir makes dir a directory that only this user can look into. Where others
// could write, nothing in it can be trusted, and that is for a person to judge.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user: what is in it would run in this process; choose another directory", dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others can write to %s (mode %#o), and what is in it would run in this process; remove it, it is made anew", dir, info.Mode().Perm())
	}
	if info.Mode().Perm() != 0o700 {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// withPrefix lists what in dir has a name that begins with prefix.
func withPrefix(dir, prefix string) (paths []string, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), prefix) {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths, err
}

// removeAll is for directories whose remains removeAbandoned takes away.
func removeAll(dir string) { _ = os.RemoveAll(dir) }

// produced finds the one file that a compilation left in dir, as
// <folder>/<name in hexadecimal digits>.
func produced(dir string) (folder string, entry [32]byte, err error) {
	folders, err := withPrefix(dir, wazeroPrefix)
	if err != nil {
		return "", entry, err
	}
	var paths []string
	for _, f := range folders {
		found, err := withPrefix(f, "")
		if err != nil {
			return "", entry, err
		}
		paths = append(paths, found...)
	}
	if len(paths) != 1 {
		return "", entry, fmt.Errorf("the compiler left %d files instead of one", len(paths))
	}
	name, err := hex.DecodeString(filepath.Base(paths[0]))
	if err != nil || copy(entry[:], name) != len(entry) || len(name) != len(entry) {
		return "", entry, fmt.Errorf("the compiler left a file of unknown name %q", filepath.Base(paths[0]))
	}
	return filepath.Base(filepath.Dir(paths[0])), entry, nil
}

// openRegular opens a file that is not a link, a directory or a pipe.
func openRegular(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

// replace renames, also over a directory that somebody put there.
func replace(from, to string) error {
	if os.Rename(from, to) == nil {
		return nil
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
