//go:build linux

package worker

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/mayfly-run/mayfly/host"
)

// body is one that a worker reads or writes, or both: what is sent with a fetch, and
// what comes back.
type body struct {
	free func() // ends the exchange that the body belongs to; may be nil
	turn bool   // the exchange had its turn; its goroutine's

	mu     sync.Mutex // guards what follows
	r      io.Reader
	err    error // what reading has ended with
	w      host.BodyWriter
	reads  bool // somebody does
	writes bool
}

// close ends both directions. A Read or Write that is under way ends with it.
func (b *body) close(err error) {
	b.mu.Lock()
	r, w := b.r, b.w
	b.mu.Unlock()
	if w != nil {
		_ = w.CloseWithError(err)
	}
	if c, ok := r.(io.Closer); ok && b.free == nil { // else the exchange does it
		_ = c.Close()
	}
	b.release()
}

func (b *body) release() {
	if b.free != nil {
		b.free()
	}
}

// open lets the worker use a body until the session ends.
func (s *session) open(id uint64, b *body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies == nil {
		s.bodies = map[uint64]*body{}
	}
	s.bodies[id] = b
}

var errNoBody = host.Errorf(host.CodeHandle, "that body is not open")

// body finds one. The request's is opened by its first use.
func (s *session) body(id uint64) *body {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bodies[id]
	if b == nil && id == bodyRequest && s.c.Request.Body != nil && !s.c.BodyTaken {
		s.c.BodyTaken = true
		b = &body{r: s.c.Request.Body}
		if s.bodies == nil {
			s.bodies = map[uint64]*body{}
		}
		s.bodies[id] = b
	}
	return b
}

// claim marks a direction of a body as used, for one at a time.
func (b *body) claim(used *bool, there bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !there || *used {
		return errNoBody
	}
	*used = true
	return nil
}

func (b *body) unclaim(used *bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*used = false
}

func (b *body) reader() io.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.r
}

func (b *body) writer() host.BodyWriter {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w
}

func (s *session) read(q *question) (work, error) {
	b := s.body(q.Body)
	if b == nil {
		return work{}, errNoBody
	}
	r := b.reader()
	if err := b.claim(&b.reads, r != nil); err != nil {
		return work{}, err
	}
	return simply(func(context.Context) (reply, error) {
		defer b.unclaim(&b.reads)
		data, err := b.readSome(r, min(max(q.N, 1), chunk))
		return reply{Data: data}, err
	})
}

// readSome reads until there is a byte or an end. It needs the claim to reading.
func (b *body) readSome(r io.Reader, most int64) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	buf := make([]byte, most)
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		n, err = r.Read(buf)
	}
	if err != nil {
		b.err = err
		b.release()
	}
	if n > 0 {
		return buf[:n], nil
	}
	return nil, err
}

func (s *session) write(q *question) (work, error) {
	b := s.body(q.Body)
	if b == nil {
		return work{}, errNoBody
	}
	w := b.writer()
	if err := b.claim(&b.writes, w != nil); err != nil {
		return work{}, err
	}
	return simply(func(context.Context) (reply, error) {
		defer b.unclaim(&b.writes)
		n, err := w.Write(q.Data)
		return reply{N: n}, unlessInternal(err)
	})
}

// unlessInternal: a pipe whose reader is gone has no error of ours.
func unlessInternal(err error) error {
	if err == nil || host.CodeOf(err) != host.CodeInternal {
		return err
	}
	return host.Errorf(host.CodeCanceled, "the other side no longer reads this body")
}

// close ends a body, or the direction that the worker writes.
func (s *session) close(q *question) {
	b := s.body(q.Body)
	switch {
	case b == nil:
	case q.Op == opFinish:
		if w := b.writer(); w != nil {
			_ = w.CloseWithError(cutShort(q.Failed))
		}
	default:
		s.mu.Lock()
		delete(s.bodies, q.Body)
		s.mu.Unlock()
		b.close(errCutShort)
	}
}

func cutShort(failed bool) error {
	if failed {
		return errCutShort
	}
	return nil
}

// fetch checks and prepares an outbound request. It waits for its turn among those of
// the Invocation.
func (s *session) fetch(q *question) (work, error) {
	headers := host.Headers(q.Headers)
	if len(q.Name) > host.MaxMethod || len(q.URL) > host.MaxURL {
		return work{}, host.Errorf(host.CodeInvalid, "a method of %d and a URL of %d bytes", len(q.Name), len(q.URL))
	}
	if err := headers.Check(); err != nil {
		return work{}, err
	}
	if s.c.Usage.Subrequests >= s.c.Limits.Subrequests {
		return work{}, host.Errorf(host.CodeLimit, "the limit of %d outbound requests per invocation is used up", s.c.Limits.Subrequests)
	}
	s.c.Usage.Subrequests++
	if s.fetches == nil {
		s.fetches = make(chan struct{}, s.c.Limits.OpenConnections)
	}
	from, within := s.c.Services.Fetcher, q.Key != ""
	if within {
		if from = s.c.Bindings.Fetchers[string(q.Key)]; from == nil {
			return work{}, host.Errorf(host.CodeNotFound, "nothing to fetch from is bound to %.64q", q.Key)
		}
	}
	req := &host.FetchRequest{Method: string(q.Name), URL: string(q.URL), Headers: headers}
	s.c.Address(req, within)
	ctx, cancel := context.WithCancel(s.c.Context())
	b := &body{free: cancel}
	b.attach(ctx, req, q)
	s.open(q.ID, b)
	return work{
		do:    func(asked context.Context) (reply, error) { return s.exchange(ctx, asked, b, from, req) },
		after: func() { s.endExchange(ctx, b) },
	}, nil
}

// attach gives a request the body that its question has, or that is written to b until
// ctx ends.
func (b *body) attach(ctx context.Context, req *host.FetchRequest, q *question) {
	switch {
	case q.Streamed:
		r, w := io.Pipe()
		context.AfterFunc(ctx, func() { r.CloseWithError(errCutShort) })
		req.Body, req.BodySize, b.w = r, -1, w
		if q.N > 0 {
			req.BodySize = q.N
		}
	case len(q.Data) > 0:
		req.Body, req.BodySize = bytes.NewReader(q.Data), int64(len(q.Data))
	}
}

// exchange sends a request. ctx ends with the body, asked with the question.
func (s *session) exchange(ctx, asked context.Context, b *body, from host.Fetcher, req *host.FetchRequest) (reply, error) {
	stop := context.AfterFunc(asked, b.release)
	defer stop()
	select {
	case s.fetches <- struct{}{}:
		b.turn = true
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	}
	ended := s.c.Watch(host.Operation{Kind: "fetch", Fetch: req})
	response, err := from.Fetch(ctx, req)
	if err != nil {
		ended(0, err)
		b.release()
		return reply{}, err
	}
	ended(response.Status, nil)
	b.mu.Lock()
	b.r = response.Body
	b.mu.Unlock()
	return reply{Status: response.Status, Headers: response.Headers}, nil
}

// endExchange waits for the end of the body, and lets the next request have its turn.
func (s *session) endExchange(ctx context.Context, b *body) {
	<-ctx.Done()
	if c, ok := b.reader().(io.Closer); ok {
		_ = c.Close()
	}
	if b.turn {
		<-s.fetches
	}
}
