package storequeue

import (
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// committer puts the writes of several calls together, so that they share a sync:
// while one batch is on its way, the next one gathers. It is safe for concurrent use.
type committer struct {
	store kv.Store

	mu      sync.Mutex // guards what follows
	running bool
	waiting []*commit
}

// commit is what one call wants written.
type commit struct {
	writes []kv.Write
	frees  bool
	size   int
	done   chan error // capacity 1
}

// write does the writes and returns when they are durable. If it fails, some may have
// been done. ctx counts until they are on their way.
func (c *committer) write(ctx context.Context, frees bool, writes ...kv.Write) error {
	for len(writes) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, size := fitting(writes)
		w := &commit{writes: writes[:n], frees: frees, size: size, done: make(chan error, 1)}
		c.enqueue(w)
		if err := <-w.done; err != nil {
			return err
		}
		writes = writes[n:]
	}
	return nil
}

// fitting is how many of the writes go into one batch, one at least, and their size.
func fitting(writes []kv.Write) (n, size int) {
	for n < len(writes) && n < kv.MaxWrites && (n == 0 || size+writes[n].Size() <= kv.MaxWriteBytes) {
		size += writes[n].Size()
		n++
	}
	return n, size
}

func (c *committer) enqueue(w *commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, w)
	if !c.running {
		c.running = true
		go c.run() // ends as soon as nothing waits, for which the callers wait
	}
}

func (c *committer) run() {
	for {
		together := c.next()
		if together == nil {
			return
		}
		var writes []kv.Write
		for _, w := range together {
			writes = append(writes, w.writes...)
		}
		err := kv.Batch(context.Background(), c.store, writes, together[0].frees)
		for _, w := range together {
			w.done <- err
		}
	}
}

// next takes what goes into the next batch. All of it frees space, or none.
func (c *committer) next() []*commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.running = false
		return nil
	}
	n, writes, size := 0, 0, 0
	for _, w := range c.waiting {
		writes += len(w.writes)
		size += w.size
		if n > 0 && (w.frees != c.waiting[0].frees || writes > kv.MaxWrites || size > kv.MaxWriteBytes) {
			break
		}
		n++
	}
	together := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return together
}
