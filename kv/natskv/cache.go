package natskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/fileblob"
)

const (
	// defaultCache is Config.Cache where nothing is said, in bytes.
	defaultCache = 8 << 30
	// touchEvery is how exact it is when a blob was used, after a restart.
	touchEvery = time.Hour
)

// cache is the blobs that this node has on its disk. When they are more than they may
// be, those that were not used for longest go, which the cluster has too. So that is
// only looked at after one came from there, or was stored there.
type cache struct {
	*fileblob.Blobs
	cfg Config

	mu    sync.Mutex // guards the fields below
	used  map[kv.Digest]use
	total int64 // bytes of all
	full  time.Time
}

// use is what is known of one blob.
type use struct {
	size          int64
	last, touched time.Time // touched: as the file says
}

func openCache(dir string, cfg Config) (*cache, error) {
	files, err := fileblob.Open(dir)
	if err != nil {
		return nil, err
	}
	c := &cache{Blobs: files, cfg: cfg, used: map[kv.Digest]use{}}
	list, err := files.List(context.Background())
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		size, touched, err := files.Look(d)
		if err != nil {
			return nil, err
		}
		c.used[d] = use{size, touched, touched}
		c.total += size
	}
	return c, nil
}

// Get implements kv.Blobs.
func (c *cache) Get(ctx context.Context, d kv.Digest) ([]byte, error) {
	data, err := c.Blobs.Get(ctx, d)
	if err == nil {
		c.touch(d)
	}
	return data, err
}

// ReadPart implements kv.PartReader.
func (c *cache) ReadPart(ctx context.Context, d kv.Digest, p []byte, offset int64) error {
	err := c.Blobs.ReadPart(ctx, d, p, offset)
	if err == nil {
		c.touch(d)
	}
	return err
}

// touch notes that a blob was used.
func (c *cache) touch(d kv.Digest) {
	now := time.Now()
	c.mu.Lock()
	u, known := c.used[d]
	stale := now.Sub(u.touched) > touchEvery
	if u.last = now; stale {
		u.touched = now
	}
	if known {
		c.used[d] = u
	}
	c.mu.Unlock()
	if stale && known {
		_ = c.Touch(d, now) // else it is taken for older than it is
	}
}

// Put implements kv.Blobs.
func (c *cache) Put(ctx context.Context, data []byte) (kv.Digest, error) {
	d, err := c.Blobs.Put(ctx, data)
	if err != nil {
		return d, err
	}
	now := time.Now()
	c.mu.Lock()
	c.total += int64(len(data)) - c.used[d].size
	c.used[d] = use{int64(len(data)), now, now}
	c.mu.Unlock()
	return d, c.evict(ctx, d)
}

// Delete implements kv.Blobs.
func (c *cache) Delete(ctx context.Context, d kv.Digest) error {
	if err := c.Blobs.Delete(ctx, d); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total -= c.used[d].size
	delete(c.used, d)
	return nil
}

// evict removes blobs while there are more than there may be: neither the newest, nor
// what is needed. It stops at nine tenths, or each blob would look for another.
func (c *cache) evict(ctx context.Context, newest kv.Digest) error {
	c.mu.Lock()
	over, total := c.total > c.cfg.Cache, c.total
	c.mu.Unlock()
	if !over {
		return nil
	}
	needed, known := c.cfg.Needed()
	if !known {
		return nil // the next one asks again
	}
	var errs error
	for _, d := range c.oldest() {
		if total <= c.cfg.Cache/10*9 {
			return errs
		}
		if d != newest && !needed[d] {
			errs = errors.Join(errs, c.Delete(ctx, d))
			c.mu.Lock()
			total = c.total
			c.mu.Unlock()
		}
	}
	if total > c.cfg.Cache && c.complains() {
		errs = errors.Join(errs, fmt.Errorf("the blobs that this node needs take %d MiB, more than the %d MiB of its cache", total>>20, c.cfg.Cache>>20))
	}
	return errs
}

// complains says whether it is time to say again that there is too much.
func (c *cache) complains() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.full) < touchEvery {
		return false
	}
	c.full = time.Now()
	return true
}

// oldest are all blobs, those first that were not used for longest.
func (c *cache) oldest() []kv.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]kv.Digest, 0, len(c.used))
	for d := range c.used {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b kv.Digest) int { return c.used[a].last.Compare(c.used[b].last) })
	return list
}
