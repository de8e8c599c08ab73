package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const manifestSuffix = ".manifest"

// store is the directory of a Cache.
type store struct {
	dir    string
	folder string // wazero's own for this version and platform
	work   *os.File
	max    int64
	lock   *dirLock

	mu   sync.Mutex // guards pins
	pins map[key]*pin
}

// pin keeps code on disk, as far as this process decides about it.
type pin struct {
	users   int        // guarded by store.mu
	loading sync.Mutex // see load
}

func openStore(dir string, max int64) (*store, error) {
	if err := ownDir(dir); err != nil {
		return nil, err
	}
	lock, err := newDirLock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	s := &store{dir: dir, max: max, lock: lock, pins: map[key]*pin{}}
	if err := lock.do(s.prepare); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) prepare() (err error) {
	if err := removeAbandoned(s.dir); err != nil {
		return err
	}
	if s.work, err = newWorkDir(s.dir); err != nil {
		return err
	}
	return s.evict()
}

func (s *store) close() {
	if s.work != nil {
		removeAll(s.work.Name())
		s.work.Close()
	}
	s.lock.close()
}

func (s *store) tempDir() (string, error) { return os.MkdirTemp(s.work.Name(), "") }

func (s *store) manifestPath(k key) string { return filepath.Join(s.folder, k.String()+manifestSuffix) }

func entryPath(folder string, m manifest) string {
	return filepath.Join(folder, hex.EncodeToString(m.entry[:]))
}

func (s *store) pin(k key) *pin {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pins[k]
	if p == nil {
		p = &pin{}
		s.pins[k] = p
	}
	p.users++
	return p
}

func (s *store) unpin(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pins[k]
	if p.users--; p.users == 0 {
		delete(s.pins, k)
	}
}

func (s *store) pinned(k key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pins[k] != nil
}

// verify reads the whole entry of k, compares its digest, and notes that it was
// used. The error is fs.ErrNotExist if there is none.
func (s *store) verify(k key) error {
	path := s.manifestPath(k)
	m, err := readManifest(path)
	if err != nil {
		return err
	}
	if m.key != k {
		return errManifest
	}
	size, digest, err := digestOf(entryPath(s.folder, m), m.size)
	if err != nil {
		return err
	}
	if size != m.size || digest != m.digest {
		return errors.New("compiled code does not agree with its digest")
	}
	now := time.Now()
	return os.Chtimes(path, now, now)
}

func readManifest(path string) (m manifest, err error) {
	f, err := openRegular(path)
	if err != nil {
		return m, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, manifestSize+1))
	if err != nil {
		return m, err
	}
	return parseManifest(data)
}

// digestOf reads a file, unless it is longer than limit.
func digestOf(path string, limit int64) (size int64, digest [sha256.Size]byte, err error) {
	f, err := openRegular(path)
	if err != nil {
		return 0, digest, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, io.LimitReader(f, limit+1))
	h.Sum(digest[:0])
	return size, digest, err
}

// remove forgets k, the manifest first: code without one is never loaded.
func (s *store) remove(k key) error {
	return s.lock.do(func() error {
		path := s.manifestPath(k)
		m, err := readManifest(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if removeErr := os.RemoveAll(path); removeErr != nil || err != nil {
			return removeErr // damaged: install replaces the entry, or evict finds it
		}
		return os.RemoveAll(entryPath(s.folder, m))
	})
}

// install takes what a child left in dir as the code of k.
func (s *store) install(k key, dir string) error {
	folder, entry, err := produced(dir)
	if err != nil {
		return err
	}
	if folder != filepath.Base(s.folder) {
		return fmt.Errorf("the child compiled for %s", folder)
	}
	m := manifest{key: k, entry: entry}
	from := entryPath(filepath.Join(dir, folder), m)
	if m.size, m.digest, err = digestOf(from, 1<<62); err != nil {
		return err
	}
	if err := syncFile(from); err != nil {
		return err
	}
	return s.place(m, from, filepath.Join(dir, "manifest"))
}

// place moves the entry, then the manifest: at any moment before the last step
// there is no manifest that agrees with the entry, and the code is compiled again.
func (s *store) place(m manifest, entry, tmp string) error {
	if err := writeSynced(tmp, m.encode()); err != nil {
		return err
	}
	return s.lock.do(func() error {
		if err := os.MkdirAll(s.folder, 0o700); err != nil {
			return err
		}
		if err := replace(entry, entryPath(s.folder, m)); err != nil {
			return err
		}
		if err := replace(tmp, s.manifestPath(m.key)); err != nil {
			return err
		}
		if err := syncFile(s.folder); err != nil {
			return err
		}
		s.pin(m.key)
		defer s.unpin(m.key)
		return s.evict()
	})
}
