// Package cache keeps responses in memory for Cloudflare's Cache API: what a Worker
// puts, for as long as the response says, and as long as there is room. Nothing is
// kept through a restart. Begin with New; rules.go has what responses are kept for,
// and what a request gets of them.
package cache

import (
	"container/list"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// Config bounds a Cache, in bytes. Each field has a default.
type Config struct {
	Bytes   int64            // of all accounts; 64 MiB
	Account int64            // of one account; half of Bytes
	Entry   int64            // of one response; an eighth of Bytes
	Now     func() time.Time // time.Now
}

const defaultBytes = 64 << 20

// overhead is what an entry takes beside its texts, in bytes, about.
const overhead = 512

// Cache has the entries of all accounts. It is safe for concurrent use.
type Cache struct {
	cfg Config

	mu       sync.Mutex // guards what follows
	bytes    int64
	accounts map[string]*account
}

// account has the entries of one, the newest used first.
type account struct {
	bytes   int64
	entries map[string]*list.Element // of *entry
	order   list.List
}

type entry struct {
	key  string
	size int64
	host.CachedResponse
}

// New makes an empty Cache.
func New(cfg Config) *Cache {
	if cfg.Bytes == 0 {
		cfg.Bytes = defaultBytes
	}
	if cfg.Account == 0 {
		cfg.Account = cfg.Bytes / 2
	}
	if cfg.Entry == 0 {
		cfg.Entry = cfg.Bytes / 8
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Cache{cfg: cfg, accounts: map[string]*account{}}
}

// Of is the part of an account.
func (c *Cache) Of(name string) host.Cache { return &part{c, name} }

type part struct {
	cache *Cache
	name  string
}

// Put keeps r, unless it is not to be kept or too large. It takes r.Body over.
func (p *part) Put(key string, r host.CachedResponse) bool {
	c := p.cache
	now := c.cfg.Now()
	headers, lifetime := keep(r.Status, r.Headers, now)
	size := int64(len(key)+len(headers)+len(r.Body)) + overhead
	if lifetime <= 0 || size > c.cfg.Entry {
		return false
	}
	r.Headers, r.Stored, r.Expires = headers, now, now.Add(lifetime)
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[p.name]
	if a == nil {
		a = &account{entries: map[string]*list.Element{}}
		c.accounts[p.name] = a
	}
	c.drop(a, a.entries[key])
	a.entries[key] = a.order.PushFront(&entry{key, size, r})
	a.bytes += size
	c.bytes += size
	for a.bytes > c.cfg.Account {
		c.drop(a, a.order.Back())
	}
	for c.bytes > c.cfg.Bytes {
		largest := c.largest()
		c.drop(largest, largest.order.Back())
	}
	c.forget(p.name, a)
	return true
}

// largest is the account that uses the most.
func (c *Cache) largest() (most *account) {
	for _, a := range c.accounts {
		if most == nil || a.bytes > most.bytes {
			most = a
		}
	}
	return most
}

// drop removes an entry, if there is one.
func (c *Cache) drop(a *account, at *list.Element) bool {
	if at == nil {
		return false
	}
	e := a.order.Remove(at).(*entry)
	delete(a.entries, e.key)
	a.bytes -= e.size
	c.bytes -= e.size
	return true
}

// forget removes an account that has nothing.
func (c *Cache) forget(name string, a *account) {
	if a.order.Len() == 0 {
		delete(c.accounts, name)
	}
}

// Match is what is kept under key for a request with these headers.
func (p *part) Match(key string, request host.Headers) (host.CachedResponse, bool) {
	c := p.cache
	now := c.cfg.Now()
	c.mu.Lock()
	a := c.accounts[p.name]
	if a == nil || a.entries[key] == nil {
		c.mu.Unlock()
		return host.CachedResponse{}, false
	}
	at := a.entries[key]
	r := at.Value.(*entry).CachedResponse
	fresh := now.Before(r.Expires)
	if fresh {
		a.order.MoveToFront(at)
	} else {
		c.drop(a, at)
		c.forget(p.name, a)
	}
	c.mu.Unlock()
	if !fresh {
		return host.CachedResponse{}, false
	}
	return answer(r, request, now), true
}

// Delete reports whether there was something under key, and removes it.
func (p *part) Delete(key string) bool {
	c := p.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[p.name]
	if a == nil {
		return false
	}
	at := a.entries[key]
	fresh := at != nil && c.cfg.Now().Before(at.Value.(*entry).Expires)
	c.drop(a, at)
	c.forget(p.name, a)
	return fresh
}

// Bytes is what is kept.
func (c *Cache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
