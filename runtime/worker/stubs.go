//go:build linux

package worker

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// store is a KV namespace of the node's.
type store struct {
	guest *guest
	name  text
}

func (s store) Get(ctx context.Context, key string) (kv.Entry, error) {
	return s.entry(ctx, &question{Op: opGet, Key: text(key)})
}

func (s store) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	q := &question{Op: opPut, Key: text(key), Data: value, Metadata: opts.Metadata, Expires: millis(opts.Expires)}
	q.Revision, q.Compare = opts.If.Revision()
	e, err := s.entry(ctx, q)
	return e.Revision, err
}

func (s store) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	q := &question{Op: opDelete, Name: s.name, Key: text(key)}
	q.Revision, q.Compare = opts.If.Revision()
	_, err := s.guest.ask(ctx, q)
	return err
}

func (s store) List(ctx context.Context, opts kv.ListOptions) (page kv.Page, err error) {
	r, err := s.guest.ask(ctx, &question{Op: opList, Name: s.name, Key: text(opts.Prefix), Cursor: text(opts.Cursor), N: int64(opts.Limit)})
	for i := range r.Entries {
		page.Entries = append(page.Entries, r.Entries[i].kv())
	}
	page.Cursor = string(r.Cursor)
	return page, err
}

// GetEach implements host.ManyGetter.
func (s store) GetEach(ctx context.Context, keys []string, most int, do func(i int, e kv.Entry) error) error {
	r, err := s.guest.ask(ctx, &question{Op: opGetEach, Name: s.name, Keys: texts(keys), N: int64(most)})
	if err != nil && host.CodeOf(err) == host.CodeTooLarge {
		return host.ErrManyBytes
	}
	if err != nil {
		return err
	}
	for i := range r.Entries[:min(len(r.Entries), len(keys))] {
		if r.Entries[i].Revision == 0 {
			continue
		}
		if err := do(i, r.Entries[i].kv()); err != nil {
			return err
		}
	}
	return nil
}

func (s store) Watch(context.Context, string) (kv.Watcher, error) {
	return nil, host.Errorf(host.CodeUnsupported, "a worker can't watch")
}

func (store) Close() error { return nil }

// entry asks for one.
func (s store) entry(ctx context.Context, q *question) (kv.Entry, error) {
	q.Name = s.name
	r, err := s.guest.ask(ctx, q)
	if err != nil || len(r.Entries) == 0 {
		return kv.Entry{}, err
	}
	return r.Entries[0].kv(), nil
}

// log is the node's.
type log struct{ guest *guest }

func (l log) GuestLog(_ *host.Call, level host.LogLevel, message []byte) {
	l.guest.tell(&question{Op: opLog, Level: level, Data: message})
}

// grant is memory of the node's, which is asked for in large parts. The node has it
// back when the Invocation ends.
type grant struct {
	guest *guest

	mu        sync.Mutex // guards what follows
	had, used int64
}

// grantStep is how much is asked for, in bytes.
const grantStep = 1 << 20

// reset begins with what the node has taken for the image.
func (g *grant) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.had, g.used = g.guest.snapshot.Memory(), 0
}

// Take implements host.Memory.
func (g *grant) Take(n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if more := g.used + n - g.had; more > 0 {
		more = (more + grantStep - 1) / grantStep * grantStep
		if _, err := g.guest.ask(context.Background(), &question{Op: opTake, N: more}); err != nil {
			return false
		}
		g.had += more
	}
	g.used += n
	return true
}

// Give implements host.Memory.
func (g *grant) Give(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
}

// responder is the client's.
type responder struct{ guest *guest }

// Respond implements host.Responder. The answer goes with the end, or with Detach.
func (r responder) Respond(status int, headers host.Headers, body []byte) error {
	r.guest.body = &answer{Status: status, Headers: bytes.Clone(headers), Body: bytes.Clone(body)}
	return nil
}

// Stream implements host.Responder.
func (r responder) Stream(status int, headers host.Headers) (host.BodyWriter, error) {
	g := r.guest
	if _, err := g.ask(&g.call, &question{Op: opStream, Status: status, Headers: headers}); err != nil {
		return nil, err
	}
	return &writer{guest: g, ctx: g.call.Context(), body: bodyResponse}, nil
}

// Detach implements host.Responder.
func (r responder) Detach() error {
	g := r.guest
	q := &question{Op: opDetach}
	if a := g.body; a != nil {
		q.Status, q.Headers, q.Data = a.Status, a.Headers, a.Body
	}
	_, err := g.ask(&g.call, q)
	if err == nil {
		g.body = nil
	}
	return err
}

// reader is a body that the node has.
type reader struct {
	guest *guest
	ctx   context.Context
	body  uint64
}

func (r *reader) Read(p []byte) (int, error) {
	got, err := r.guest.ask(r.ctx, &question{Op: opRead, Body: r.body, N: int64(len(p))})
	return copy(p, got.Data), err
}

func (r *reader) Close() error {
	r.guest.tell(&question{Op: opClose, Body: r.body})
	return nil
}

// writer is a body that the node passes on.
type writer struct {
	guest *guest
	ctx   context.Context
	body  uint64
}

func (w *writer) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var r reply
		r, err = w.guest.ask(w.ctx, &question{Op: opWrite, Body: w.body, Data: p[n:min(n+chunk, len(p))]})
		n += r.N
	}
	return n, err
}

func (w *writer) CloseWithError(err error) error {
	w.guest.tell(&question{Op: opFinish, Body: w.body, Failed: err != nil})
	return nil
}

// limiter is a rate limit of the node's.
type limiter struct {
	guest *guest
	name  text
}

// Limit implements host.RateLimiter.
func (l limiter) Limit(key []byte) (bool, error) {
	r, err := l.guest.ask(context.Background(), &question{Op: opLimit, Name: l.name, Key: text(key)})
	return r.N == 1, err
}

// fetcher is the node's, or one of the Version's bindings.
type fetcher struct {
	guest   *guest
	binding text // empty for the node's
}

// Fetch implements host.Fetcher.
func (f fetcher) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	g := f.guest
	q := &question{Op: opFetch, Name: text(req.Method), Key: f.binding, URL: text(req.URL), Headers: req.Headers}
	if _, whole := req.Body.(*bytes.Reader); req.Body != nil && !whole {
		q.Streamed, q.N = true, max(req.BodySize, 0)
	}
	if req.Body != nil && !q.Streamed {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		q.Data = data
	}
	w, err := g.begin(q)
	if err != nil {
		return nil, err
	}
	if q.Streamed {
		g.uploads.Go(func() { g.upload(ctx, q.ID, req.Body) })
	}
	r, err := g.await(ctx, q, w)
	if err != nil {
		return nil, err
	}
	return &host.FetchResponse{Status: r.Status, Headers: r.Headers, Body: &reader{guest: g, ctx: ctx, body: q.ID}}, nil
}

// upload passes on what the guest writes.
func (g *guest) upload(ctx context.Context, id uint64, body io.Reader) {
	w := &writer{guest: g, ctx: ctx, body: id}
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{body}, make([]byte, chunk))
	if err != nil {
		if c, ok := body.(interface{ CloseWithError(error) error }); ok {
			_ = c.CloseWithError(err)
		}
	}
	_ = w.CloseWithError(err)
}
