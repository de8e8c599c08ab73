package assets

import (
	"container/list"
	"sync"
)

// cache keeps what was used last, within a number of bytes. What it lets go of stays
// good for those that still use it.
type cache struct {
	most int64

	mu    sync.Mutex // guards what follows
	used  int64
	order *list.List // of *cached, the last used first
	by    map[any]*list.Element
}

type cached struct {
	key, value any
	size       int64
}

func newCache(most int64) *cache {
	return &cache{most: most, order: list.New(), by: map[any]*list.Element{}}
}

func (c *cache) get(key any) (value any, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).value, true
}

// add keeps a value unless it alone is too large.
func (c *cache) add(key, value any, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.by[key]; there || size > c.most {
		return
	}
	c.by[key] = c.order.PushFront(&cached{key, value, size})
	c.used += size
	for c.used > c.most {
		c.drop(c.order.Back())
	}
}

// drop needs c.mu.
func (c *cache) drop(e *list.Element) {
	old := c.order.Remove(e).(*cached)
	delete(c.by, old.key)
	c.used -= old.size
}

func (c *cache) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}
