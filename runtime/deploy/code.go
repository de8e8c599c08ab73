package deploy

import (
	"context"
	"log/slog"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
)

// code keeps compiled modules in memory while somebody holds them: each Active,
// and each deploy on its way to become one. It is safe for concurrent use.
type code struct {
	runtime *runtime.Runtime
	logger  *slog.Logger
	work    sync.WaitGroup // goroutines that unload

	mu      sync.Mutex // guards the maps
	holders map[kv.Digest]int
	// leaving has a channel for each module that is being unloaded, which takes
	// until its last Invocation has ended. It is closed then.
	leaving map[kv.Digest]chan struct{}
}

func newCode(r *runtime.Runtime, logger *slog.Logger) *code {
	return &code{runtime: r, logger: logger, holders: map[kv.Digest]int{}, leaving: map[kv.Digest]chan struct{}{}}
}

func (c *code) hold(d kv.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holders[d]++
}

// drop gives a hold back. After the last one the module is unloaded in the
// background.
func (c *code) drop(d kv.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holders[d]--; c.holders[d] == 0 {
		delete(c.holders, d)
		c.leave(d)
	}
}

// leave begins to unload a module unless that is under way. It needs c.mu.
func (c *code) leave(d kv.Digest) {
	if c.leaving[d] != nil {
		return
	}
	done := make(chan struct{})
	c.leaving[d] = done
	c.work.Go(func() {
		if err := c.runtime.Unload(context.Background(), d); err != nil {
			c.logger.Error("unload module", "digest", d.String(), "err", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.leaving, d)
		close(done)
	})
}

// load compiles a module that the caller holds. While older code of the same
// content is being unloaded it waits.
func (c *code) load(ctx context.Context, d kv.Digest, data []byte) (*runtime.Module, error) {
	for {
		c.mu.Lock()
		left := c.leaving[d]
		c.mu.Unlock()
		if left == nil {
			return c.runtime.Load(ctx, data)
		}
		select {
		case <-left:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
