package badgerkv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// verifyRecent reads the logs of recent writes before Badger does, which would drop
// what is behind damage without a word. It calls damaged for each that is, until
// that returns an error.
func verifyRecent(dir string, damaged func(*DamageError) error) error {
	return eachFile(dir, ".mem", func(name string, data []byte) error {
		l := readLog(data)
		if !l.damaged {
			return nil
		}
		left := putBack(data)
		return damaged(&DamageError{File: name, Log: true, Bit: !left.damaged,
			What: fmt.Sprintf("the write at byte %d of the log of recent writes is not as it was written, and reading ends there", l.broken)})
	})
}

// mendAdvice says what to do about a damaged log.
func mendAdvice(err error) string {
	if d, ok := errors.AsType[*DamageError](err); ok && d.Bit {
		return "a bit was flipped; mayfly doctor --repair puts it back, and nothing is lost"
	}
	return "restore a backup into a new directory, or give up all writes from there on, acknowledged ones too: mayfly doctor --accept-loss"
}

// Mended is what MendLogs did to a file.
type Mended struct {
	File string // its name
	Kept string // what was cut off is still in this file; empty: bits were put back, and nothing is lost
}

// MendLogs puts single flipped bits of the logs of recent writes back, where all of
// a log is whole then. Other damaged logs it cuts off, if acceptLoss says so: the
// acknowledged writes from there on are lost then, and the log as it was is kept in
// a file beside it. Nobody has the database open: it takes the lock.
func MendLogs(dir string, acceptLoss bool) (mended []Mended, err error) {
	mended, err = mendLogs(dir, acceptLoss)
	if err != nil || !slices.ContainsFunc(mended, func(m Mended) bool { return m.Kept != "" }) {
		return mended, err
	}
	s, err := Open(Config{Dir: dir, lost: lostRevisions})
	if err != nil {
		return mended, err
	}
	return mended, s.Close()
}

// lostRevisions is more than logs have room for: what was cut off had revisions
// that somebody may hold, and that must not come back with other content.
const lostRevisions = 1 << 20

// There are three logs, and a commit takes 64 bytes of one at least.
const _ = uint(lostRevisions - 4*memtableSize/64)

func mendLogs(dir string, acceptLoss bool) (mended []Mended, err error) {
	unlock, err := Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	err = eachFile(dir, ".mem", func(name string, data []byte) error {
		m, err := mendLog(filepath.Join(dir, name), data, acceptLoss)
		if err == nil && m.File != "" {
			mended = append(mended, m)
		}
		return err
	})
	return mended, err
}

func mendLog(file string, data []byte, acceptLoss bool) (m Mended, err error) {
	before := readLog(data)
	l := putBack(data)
	if !before.damaged || l.damaged && !acceptLoss {
		return m, nil
	}
	m.File = filepath.Base(file)
	if l.damaged {
		m.Kept = m.File + ".damaged"
		if err := copyFile(file, file+".damaged"); err != nil {
			return m, fmt.Errorf("keep what is cut off: %w", err)
		}
		clear(data[l.at:])
	}
	return m, replaceLog(file, data)
}

// putBack inverts flipped bits in data and returns what it is then.
func putBack(data []byte) logEnd {
	l := readLog(data)
	for ; l.flipped >= 0; l = readLog(data) {
		data[l.flipped/8] ^= 1 << (l.flipped % 8)
	}
	return l
}

// replaceLog writes aside and renames, so that a process that ends leaves one or
// the other.
func replaceLog(file string, data []byte) error {
	next := file + ".next"
	if err := errors.Join(os.RemoveAll(next), writeHoles(next, data)); err != nil {
		return err
	}
	if err := os.Rename(next, file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// eachFile reads the files whose names have an ending, in their order.
func eachFile(dir, ending string, do func(name string, data []byte) error) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if filepath.Ext(f.Name()) != ending {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err == nil {
			err = do(f.Name(), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
