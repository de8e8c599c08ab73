package compile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// runtimeConfig is the one configuration of parent and child. wazero's key of an
// entry covers neither features nor debug information: were they to differ, one
// would load what the other never would have compiled.
//
// Without WithCloseOnContextDone, since metering stops guests. Without debug
// information: rewriting has moved the code that it speaks of, and reading it is
// work that the uploader decides about.
func runtimeConfig() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false)
}

// RuntimeConfig is for the one wazero.Runtime that loads from this Cache. Don't
// change what it sets.
func (c *Cache) RuntimeConfig() wazero.RuntimeConfig {
	return runtimeConfig().WithCompilationCache(c.compiled)
}

// loadAttempts is how often Load tries: another process may remove what was
// there a moment ago, and on a busy machine again.
const loadAttempts = 20

// Compiled is machine code in memory.
type Compiled struct {
	Module wazero.CompiledModule
	Size   int64 // bytes of memory that it takes, about
}

// Load ensures that code is compiled and loads it into engine, which must have
// been made with RuntimeConfig. It never compiles in this process. Its errors are
// those of Ensure. Don't call engine.CompileModule beside it.
func (c *Cache) Load(ctx context.Context, engine wazero.Runtime, code []byte) (Compiled, error) {
	if err := c.begin(); err != nil {
		return Compiled{}, err
	}
	defer c.live.Done()
	k := c.key(sha256.Sum256(code))
	p := c.store.pin(k)
	defer c.store.unpin(k)
	var err error
	for range loadAttempts {
		var size int64
		if size, err = c.ensure(ctx, k, code); err != nil {
			return Compiled{}, err
		}
		var m wazero.CompiledModule
		if m, err = p.load(ctx, engine, code); err == nil {
			return Compiled{m, size + moduleFactor*int64(len(code))/4}, nil
		}
	}
	if errors.Is(err, context.Canceled) { // see loadOnly
		err = errors.New("the child's code is not what this process looks for")
	}
	return Compiled{}, fmt.Errorf("load compiled code: %w", err)
}

// moduleFactor is how much memory wazero takes for what it knows of a module, in
// quarters of the module's size: measured with Go guests.
const moduleFactor = 5

// ErrNotKept: there is no whole code of that digest on disk.
var ErrNotKept = errors.New("compiled code is not kept")

// Recall loads code of which only the digest is known, from what an earlier Load
// left. The error is ErrNotKept if that is gone or damaged: Load it then.
func (c *Cache) Recall(ctx context.Context, engine wazero.Runtime, digest [sha256.Size]byte) (Compiled, error) {
	k := c.key(digest)
	c.store.pin(k)
	defer c.store.unpin(k)
	code, err := c.store.module(k)
	if err == nil && sha256.Sum256(code) != digest {
		err = errors.New("the module does not agree with its digest")
	}
	if err != nil {
		c.logDamage(k, err)
		return Compiled{}, errors.Join(ErrNotKept, c.store.remove(k))
	}
	return c.Load(ctx, engine, code)
}

// logDamage tells of files that are there, but not as they were.
func (c *Cache) logDamage(k key, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		c.cfg.Logger.Warn("compiled code is damaged, compiling it again", "key", k.String(), "err", err)
	}
}

// load excludes others that load the same code: wazero 1.12 shows what it reads
// from a file to them before it is complete, and the first call panics.
func (p *pin) load(ctx context.Context, engine wazero.Runtime, code []byte) (wazero.CompiledModule, error) {
	p.loading.Lock()
	defer p.loading.Unlock()
	return engine.CompileModule(loadOnly(ctx), code)
}

// loadOnly makes wazero load a module or fail, but not compile: it doesn't look
// at the context while it loads, and with several workers it does before it
// compiles the first function.
func loadOnly(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(experimental.WithCompilationWorkers(context.WithoutCancel(ctx), 2))
	cancel()
	return ctx
}

// Ensure makes sure that the compiled code of a module lies on disk and has the
// digest we recorded; else it is compiled in a child, once, however many ask at
// the same time. It returns early when ctx ends; the child goes on for those who
// ask later. Code may be removed again by the time it is needed, if it was not
// used for long: load it with Load.
//
// The error is a *host.Error with host.CodeInvalid if the module is to blame:
// wazero refuses it, or compiling it takes more than Limits.
func (c *Cache) Ensure(ctx context.Context, code []byte) error {
	_, err := c.ensure(ctx, c.key(sha256.Sum256(code)), code)
	return err
}

// ensure returns the size of the code.
func (c *Cache) ensure(ctx context.Context, k key, code []byte) (int64, error) {
	done := c.flight.DoChan(string(k[:]), func() (any, error) {
		if err := c.begin(); err != nil {
			return int64(0), err
		}
		defer c.live.Done()
		return c.provide(k, code)
	})
	select {
	case r := <-done:
		return r.Val.(int64), r.Err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// provide verifies what is on disk, each time: a digest that was right earlier
// says nothing about a disk that returns other bytes now, which changes neither
// time nor inode. It costs less than what wazero does to load the same bytes.
func (c *Cache) provide(k key, code []byte) (size int64, err error) {
	size, err = c.store.verify(k)
	if err == nil {
		return size, nil
	}
	c.logDamage(k, err)
	if err := c.store.remove(k); err != nil {
		return 0, fmt.Errorf("remove compiled code: %w", err)
	}
	return c.build(k, code)
}

// build returns the size of the code that it made.
func (c *Cache) build(k key, code []byte) (size int64, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.base.Done():
		return 0, ErrClosed
	}
	dir, err := c.store.tempDir()
	if err != nil {
		return 0, fmt.Errorf("compile: %w", err)
	}
	defer removeAll(dir)
	if err := c.runChild(dir, code); err != nil {
		return 0, err
	}
	if size, err = c.store.install(k, dir, code); err != nil {
		return 0, fmt.Errorf("keep compiled code: %w", err)
	}
	return size, nil
}
