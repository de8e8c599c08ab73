// Package compile turns WebAssembly into machine code without running the
// compiler in the server. A child process of the same program compiles under
// limits of time and memory, the result lies in a directory with a digest of our
// own, and the server only loads what agrees with its digest.
//
// Begin with Open and Cache.Load; Child is what the child process runs. What a
// module may make a compiler do is the reason for all of this: a module of 8 KB
// takes 20 s, and whoever changes a cached file runs machine code in the server.
//
// The directory:
//
//	lock                     flock: held while files are moved or removed
//	work-*/                  one for each process, with what is being compiled
//	wazero-<version>-*/      of wazero's own naming
//	    <64 digits>          machine code, in wazero's format
//	    <64 digits>.manifest says which of them belongs to a module, and its digest
//	    <64 digits>.module   the module, so that its code can be found by its digest
package compile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"golang.org/x/sync/singleflight"
)

// ErrClosed: the Cache was closed.
var ErrClosed = errors.New("compile cache is closed")

// Limits bounds one child process.
type Limits struct {
	CPU  time.Duration // rounded up to whole seconds; default 60 s
	Wall time.Duration // without the wait for a free child; default 5 min: machines are busy
	// Memory is address space beyond what the program has at its start, in
	// bytes; default 1 GiB. Go takes 64 MiB at a time: 128 MiB is the least that
	// works, and enough for a module of 3 MB.
	Memory int64
}

const (
	defaultCPU      = 60 * time.Second
	defaultWall     = 5 * time.Minute
	defaultMemory   = 1 << 30
	defaultMaxBytes = 1 << 30
)

func (l *Limits) setDefaults() {
	if l.CPU <= 0 {
		l.CPU = defaultCPU
	}
	l.CPU = (l.CPU + time.Second - 1).Truncate(time.Second)
	if l.Wall <= 0 {
		l.Wall = defaultWall
	}
	if l.Memory <= 0 {
		l.Memory = defaultMemory
	}
}

// Config configures a Cache.
type Config struct {
	// Dir is created if it doesn't exist. Only its owner may write to it.
	Dir string
	// MaxBytes is how much compiled code is kept; default 1 GiB. What is in use
	// stays even if it alone is more.
	MaxBytes int64
	// Command makes the command, with exec.CommandContext, that starts this very
	// program so that it calls Child with the arguments which the Cache appends.
	Command  func(ctx context.Context) *exec.Cmd
	Limits   Limits
	Parallel int          // children at one time; default 1
	Logger   *slog.Logger // default slog.Default()
}

func (c *Config) setDefaults() (err error) {
	if c.Command == nil {
		return errors.New("compile: Command is not set")
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.Parallel <= 0 {
		c.Parallel = 1
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Limits.setDefaults()
	c.Dir, err = filepath.Abs(c.Dir)
	return err
}

// Cache is compiled code on disk, shared with other processes that use the same
// directory. It is safe for concurrent use.
type Cache struct {
	cfg      Config
	store    *store
	seed     []byte // of all keys: whatever else than the module decides about the code
	compiled wazero.CompilationCache
	slots    chan struct{} // one for each child that may run
	flight   singleflight.Group
	base     context.Context // of children; ends with Close
	cancel   context.CancelFunc

	mu     sync.Mutex // guards closed, and live.Add against live.Wait
	closed bool
	live   sync.WaitGroup // flights, and what loads
}

// Open prepares the directory and removes what processes that ended have left
// in it. It refuses a directory that others can write to or own, and is
// errors.ErrUnsupported where wazero has no compiler.
func Open(cfg Config) (*Cache, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	c := &Cache{cfg: cfg, slots: make(chan struct{}, cfg.Parallel)}
	var err error
	if c.store, err = openStore(cfg.Dir, cfg.MaxBytes); err != nil {
		return nil, fmt.Errorf("open compile cache: %w", err)
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	if err := c.start(); err != nil {
		c.cancel()
		c.store.close()
		return nil, fmt.Errorf("open compile cache: %w", err)
	}
	return c, nil
}

func (c *Cache) start() (err error) {
	if c.seed, err = c.fingerprint(); err != nil {
		return err
	}
	c.compiled, err = wazero.NewCompilationCacheWithDir(c.cfg.Dir)
	return err
}

// format is part of all keys. Raise it when the manifest, RuntimeConfig, or what
// is handed to the compiler changes its meaning.
const format = 2

// fingerprint tells apart whatever makes wazero produce or look for other code:
// its version, the platform and the features of the processor. wazero shows them
// only in the name it gives to a file; so the module without content is compiled.
func (c *Cache) fingerprint() ([]byte, error) {
	dir, err := c.store.tempDir()
	if err != nil {
		return nil, err
	}
	defer removeAll(dir)
	seed, folder, err := fingerprint(dir)
	c.store.folder = filepath.Join(c.cfg.Dir, folder)
	return seed, err
}

// fingerprint compiles in dir. It returns the seed of keys and the name of wazero's
// folder.
func fingerprint(dir string) (seed []byte, folder string, err error) {
	if err := compileInto(context.Background(), dir, []byte("\x00asm\x01\x00\x00\x00")); err != nil {
		return nil, "", err
	}
	folder, entry, err := produced(dir)
	if err != nil {
		return nil, "", fmt.Errorf("no compiler for this processor: %w", errors.ErrUnsupported)
	}
	return fmt.Appendf(nil, "mayfly compile %d %s/%x ", format, folder, entry), folder, nil
}

// key takes the digest of a module.
func (c *Cache) key(digest [sha256.Size]byte) key { return keyOf(c.seed, digest) }

func keyOf(seed []byte, digest [sha256.Size]byte) key {
	return sha256.Sum256(append(seed[:len(seed):len(seed)], digest[:]...))
}

// Close ends running children and waits for them. Close the wazero.Runtime first.
func (c *Cache) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	c.cancel()
	c.live.Wait()
	c.store.close()
	return c.compiled.Close(context.Background())
}

// begin keeps Close waiting until live.Done.
func (c *Cache) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.live.Add(1)
	return nil
}
