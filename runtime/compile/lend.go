package compile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/tetratelabs/wazero"
)

// Hold keeps code on disk that an earlier Load or Recall found there, until
// release is called once.
func (c *Cache) Hold(digest [sha256.Size]byte) (release func()) {
	k := c.key(digest)
	c.store.pin(k)
	return func() { c.store.unpin(k) }
}

// Lend says where another process, with a Reader, finds code that is held: the
// directory, and the file of the module. Both are verified, and the code is compiled
// again if it has to be. The error is ErrNotKept if the module is gone or damaged.
func (c *Cache) Lend(ctx context.Context, digest [sha256.Size]byte) (dir, module string, err error) {
	k := c.key(digest)
	code, err := c.store.module(k)
	if err != nil || sha256.Sum256(code) != digest {
		return "", "", errors.Join(ErrNotKept, err)
	}
	if _, err := c.ensure(ctx, k, code); err != nil {
		return "", "", err
	}
	return c.cfg.Dir, c.store.modulePath(k), nil
}

// Reader loads from the directory of a Cache that another process has open, and
// that has verified what is loaded. It never compiles.
type Reader struct{ compiled wazero.CompilationCache }

// OpenReader opens the directory.
func OpenReader(dir string) (*Reader, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	compiled, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, err
	}
	return &Reader{compiled}, nil
}

// RuntimeConfig is for the one wazero.Runtime that loads from this Reader.
func (r *Reader) RuntimeConfig() wazero.RuntimeConfig {
	return runtimeConfig().WithCompilationCache(r.compiled)
}

// Load loads code, one at a time.
func (r *Reader) Load(ctx context.Context, engine wazero.Runtime, code []byte) (Compiled, error) {
	m, err := engine.CompileModule(loadOnly(ctx), code)
	if err != nil {
		return Compiled{}, fmt.Errorf("load compiled code: %w", err)
	}
	return Compiled{Module: m}, nil
}

// Recall finds nothing: a Reader knows no digests.
func (r *Reader) Recall(context.Context, wazero.Runtime, [sha256.Size]byte) (Compiled, error) {
	return Compiled{}, ErrNotKept
}
