//go:build linux

package worker

import (
	"bytes"
	"context"

	"github.com/mayfly-run/mayfly/host"
)

// cache is the account's part of the node's.
type cache struct{ guest *guest }

// Put implements host.Cache.
func (c cache) Put(key string, r host.CachedResponse) bool {
	done, err := c.guest.ask(context.Background(), &question{Op: opCachePut, Key: text(key), Status: r.Status, Headers: r.Headers, Data: r.Body})
	return err == nil && done.N == 1
}

// Match implements host.Cache. What it returns counts as the Invocation's memory until
// that ends; where there is none left, nothing was found.
func (c cache) Match(key string, request host.Headers) (host.CachedResponse, bool) {
	r, err := c.guest.ask(context.Background(), &question{Op: opCacheMatch, Key: text(key), Headers: request})
	if err != nil || r.N != 1 || !c.guest.grant.Take(int64(len(r.Data))) {
		return host.CachedResponse{}, false
	}
	return host.CachedResponse{Status: r.Status, Headers: r.Headers, Body: r.Data}, true
}

// Delete implements host.Cache.
func (c cache) Delete(key string) bool {
	r, err := c.guest.ask(context.Background(), &question{Op: opCacheDelete, Key: text(key)})
	return err == nil && r.N == 1
}

// maxCacheKey is the longest key: a name and a URL; see host/js.
const maxCacheKey = 1<<10 + 1 + host.MaxURL

// cache checks and prepares an operation of a cache, which counts as an outbound request.
func (s *session) cache(q *question) (work, error) {
	c := s.c.Bindings.Cache
	if c == nil || len(q.Key) > maxCacheKey {
		return work{}, host.Errorf(host.CodeInvalid, "no cache, or a key of %d bytes", len(q.Key))
	}
	if err := host.Headers(q.Headers).Check(); err != nil {
		return work{}, err
	}
	if q.Op == opCachePut && (q.Status < 200 || q.Status > 599) {
		return work{}, host.Errorf(host.CodeInvalid, "status %d is not between 200 and 599", q.Status)
	}
	if s.c.Usage.Subrequests >= s.c.Limits.Subrequests {
		return work{}, host.Errorf(host.CodeLimit, "the limit of %d outbound requests per invocation is used up", s.c.Limits.Subrequests)
	}
	s.c.Usage.Subrequests++
	switch q.Op {
	case opCachePut:
		return simply(func(context.Context) (reply, error) {
			return yes(c.Put(string(q.Key), host.CachedResponse{Status: q.Status, Headers: bytes.Clone(q.Headers), Body: bytes.Clone(q.Data)})), nil
		})
	case opCacheDelete:
		return simply(func(context.Context) (reply, error) { return yes(c.Delete(string(q.Key))), nil })
	}
	return s.match(c, q), nil
}

// match takes memory for what it finds until the worker has it.
func (s *session) match(c host.Cache, q *question) work {
	held := int64(0)
	return work{
		do: func(context.Context) (reply, error) {
			r, ok := c.Match(string(q.Key), q.Headers)
			if !ok || !s.take(int64(len(r.Body))) {
				return reply{}, nil
			}
			held = int64(len(r.Body))
			return reply{N: 1, Status: r.Status, Headers: r.Headers, Data: r.Body}, nil
		},
		after: func() { s.give(held) },
	}
}

func yes(is bool) reply {
	if is {
		return reply{N: 1}
	}
	return reply{}
}
