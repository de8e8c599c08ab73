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

const (
	manifestSuffix = ".manifest"
	moduleSuffix   = ".module"
)

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

func (s *store) modulePath(k key) string { return filepath.Join(s.folder, k.String()+moduleSuffix) }

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
// used. It returns the entry's size in bytes. The error is fs.ErrNotExist if there
// is none.
func (s *store) verify(k key) (size int64, err error) {
	path := s.manifestPath(k)
	m, err := readManifest(path)
	if err != nil {
		return 0, err
	}
	if m.key != k {
		return 0, errManifest
	}
	size, digest, err := digestOf(entryPath(s.folder, m), m.size)
	if err != nil {
		return 0, err
	}
	if size != m.size || digest != m.digest {
		return 0, errors.New("compiled code does not agree with its digest")
	}
	now := time.Now()
	return size, os.Chtimes(path, now, now)
}

// module reads the module of k. It is for the caller to see that it is the one.
func (s *store) module(k key) ([]byte, error) {
	f, err := openRegular(s.modulePath(k))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
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
		return removeFiles([]string{entryPath(s.folder, m), s.modulePath(k)})
	})
}

// install takes what a child left in dir as the code of k, and keeps the module.
// It returns the size of the code.
func (s *store) install(k key, dir string, module []byte) (size int64, err error) {
	folder, entry, err := produced(dir)
	if err != nil {
		return 0, err
	}
	if folder != filepath.Base(s.folder) {
		return 0, fmt.Errorf("the child compiled for %s", folder)
	}
	m := manifest{key: k, entry: entry}
	from := entryPath(filepath.Join(dir, folder), m)
	if m.size, m.digest, err = digestOf(from, 1<<62); err != nil {
		return 0, err
	}
	if err := syncFile(from); err != nil {
		return 0, err
	}
	source, record := filepath.Join(dir, "module"), filepath.Join(dir, "manifest")
	if err := writeSynced(source, module); err != nil {
		return 0, err
	}
	if err := writeSynced(record, m.encode()); err != nil {
		return 0, err
	}
	return m.size, s.place(m.key, [][2]string{{from, entryPath(s.folder, m)}, {source, s.modulePath(k)}, {record, s.manifestPath(k)}})
}

// place moves files, the manifest last: at any moment before that there is no
// manifest that agrees with the entry, and the code is compiled again.
func (s *store) place(k key, files [][2]string) error {
	return s.lock.do(func() error {
		if err := os.MkdirAll(s.folder, 0o700); err != nil {
			return err
		}
		for _, f := range files {
			if err := replace(f[0], f[1]); err != nil {
				return err
			}
		}
		if err := syncFile(s.folder); err != nil {
			return err
		}
		s.pin(k)
		defer s.unpin(k)
		return s.evict()
	})
}
