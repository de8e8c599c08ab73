// Package fileblob keeps kv.Blobs in a directory, one file for each:
//
//	ab/abcdef...   the blob with this digest
//	tmp/           writes that are not finished; emptied by Open
//
// A blob appears under its name only when it is whole and on disk. One process
// at a time may use the directory; the node's database lock sees to that.
package fileblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// Blobs is a kv.Blobs in files.
type Blobs struct {
	dir string
	// mu, by the first byte of a digest, is held by Put and Delete, so that a Put that
	// finds its blob there also finds it durable.
	mu [256]sync.Mutex
}

// Open uses or makes the directory, and removes what interrupted writes left.
func Open(dir string) (*Blobs, error) {
	s := &Blobs{dir: dir}
	if err := os.RemoveAll(s.tmp()); err != nil {
		return nil, fmt.Errorf("clear unfinished blobs: %w", err)
	}
	if err := os.MkdirAll(s.tmp(), 0o700); err != nil {
		return nil, fmt.Errorf("make blob directory: %w", err)
	}
	if err := s.settle(); err != nil {
		return nil, fmt.Errorf("sync blob directory: %w", err)
	}
	return s, nil
}

// settle makes every name durable: the process may have ended between renaming
// a blob and syncing its directory.
func (s *Blobs) settle() error {
	fans, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, fan := range fans {
		if err := syncPath(filepath.Join(s.dir, fan.Name())); err != nil {
			return err
		}
	}
	return errors.Join(syncPath(s.dir), syncPath(filepath.Dir(s.dir)))
}

// Put implements kv.Blobs.
func (s *Blobs) Put(ctx context.Context, data []byte) (kv.Digest, error) {
	d := kv.DigestOf(data)
	s.mu[d[0]].Lock()
	defer s.mu[d[0]].Unlock()
	if err := ctx.Err(); err != nil {
		return kv.Digest{}, err
	}
	// A file of another length is damaged, and is replaced.
	if info, err := os.Stat(s.path(d)); err == nil && info.Size() == int64(len(data)) {
		return d, nil
	}
	if err := s.write(d, data); err != nil {
		return kv.Digest{}, fmt.Errorf("put blob %s: %w", d, err)
	}
	return d, nil
}

func (s *Blobs) write(d kv.Digest, data []byte) error {
	name, err := s.writeTemp(data)
	if err != nil {
		return err
	}
	defer os.Remove(name) // there is nothing to remove once it is renamed
	dir := filepath.Dir(s.path(d))
	if err := s.makeDir(dir); err != nil {
		return err
	}
	if err := os.Rename(name, s.path(d)); err != nil {
		return err
	}
	return syncPath(dir)
}

func (s *Blobs) writeTemp(data []byte) (name string, err error) {
	f, err := os.CreateTemp(s.tmp(), "*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}

func (s *Blobs) makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncPath(s.dir)
}

// Get implements kv.Blobs.
func (s *Blobs) Get(ctx context.Context, d kv.Digest) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", d, kv.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("get blob: %w", err)
	}
	if kv.DigestOf(data) != d {
		return nil, fmt.Errorf("blob %s: %w", d, kv.ErrCorrupt)
	}
	return data, nil
}

// ReadPart implements kv.PartReader. The file is open only while it is read, so that
// slow readers of large blobs take no files.
func (s *Blobs) ReadPart(ctx context.Context, d kv.Digest, p []byte, offset int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob %s: %w", d, kv.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("read blob: %w", err)
	}
	defer f.Close()
	n, err := f.ReadAt(p, offset)
	if n < len(p) && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if n < len(p) {
		return fmt.Errorf("read blob %s: %w", d, err)
	}
	return nil
}

// Delete implements kv.Blobs.
func (s *Blobs) Delete(ctx context.Context, d kv.Digest) error {
	s.mu[d[0]].Lock()
	defer s.mu[d[0]].Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	err := os.Remove(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	return syncPath(filepath.Dir(s.path(d)))
}

// List implements kv.Blobs.
func (s *Blobs) List(ctx context.Context) ([]kv.Digest, error) {
	fans, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	var digests []kv.Digest
	for _, fan := range fans {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !fan.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.dir, fan.Name()))
		if err != nil {
			return nil, fmt.Errorf("list blobs: %w", err)
		}
		for _, file := range files {
			if d, err := kv.ParseDigest(file.Name()); err == nil { // not one of tmp
				digests = append(digests, d)
			}
		}
	}
	return digests, ctx.Err()
}

func (s *Blobs) tmp() string { return filepath.Join(s.dir, "tmp") }

func (s *Blobs) path(d kv.Digest) string {
	name := d.String()
	return filepath.Join(s.dir, name[:2], name)
}

// syncPath makes the names in a directory durable.
func syncPath(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
