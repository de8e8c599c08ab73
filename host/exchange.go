package host

import (
	"bytes"
	"context"
	"io"
)

// Exchange is an outbound request under way and the response to it. It belongs
// to the Invocation that began it.
type Exchange struct {
	Task
	Upload   BodyWriter // where the guest writes a streamed request body, or nil
	ctx      context.Context
	cancel   context.CancelFunc // ends the exchange and frees its connection
	response *FetchResponse
	err      error
	taken    bool // the guest holds the response's body
}

// Fetch begins an outbound request within the Invocation's limits. It fills in
// what the guest has no say in, and the body: a copy of body, or with streamed
// what the guest writes to Upload, of req.BodySize bytes unless that is 0.
func (c *Call) Fetch(req *FetchRequest, body []byte, streamed bool) (*Exchange, *Error) {
	return c.fetch(c.Services.Fetcher, req, body, streamed)
}

// FetchFrom is Fetch from one of Bindings.Fetchers. It counts as an outbound
// request.
func (c *Call) FetchFrom(f Fetcher, req *FetchRequest, body []byte, streamed bool) (*Exchange, *Error) {
	req.Caller = c.asCaller()
	return c.fetch(f, req, body, streamed)
}

// Address fills in what a guest has no say in, for those who run an exchange
// themselves. With within, the request goes to one of Bindings.Fetchers.
func (c *Call) Address(req *FetchRequest, within bool) {
	if within {
		req.Caller = c.asCaller()
	}
	req.Account, req.Egress = c.Bindings.Account, c.Bindings.Egress
	req.Loop, _ = c.Request.Headers.Joined("cdn-loop")
	c.passTrace(req)
}

func (c *Call) fetch(f Fetcher, req *FetchRequest, body []byte, streamed bool) (*Exchange, *Error) {
	if c.Usage.Subrequests >= c.Limits.Subrequests {
		return nil, Errorf(CodeLimit, "the limit of %d outbound requests per invocation is used up", c.Limits.Subrequests)
	}
	size := len(body)
	if err := c.Hold(size); err != nil {
		return nil, err
	}
	c.Usage.Subrequests++
	c.Work(RequestWeight)
	c.Usage.BytesOut += int64(size)
	c.Address(req, false)
	ended := c.Watch(Operation{Kind: "fetch", Fetch: req})
	e := &Exchange{}
	e.ctx, e.cancel = context.WithCancel(c.Context())
	switch {
	case streamed:
		e.stream(req)
	case size > 0:
		req.Body, req.BodySize = bytes.NewReader(bytes.Clone(body)), int64(size)
	}
	turn := c.connections.ask(c.Limits.OpenConnections)
	e.Task = c.Start(func(context.Context) {
		answered := e.run(f, req, turn)
		ended(e.status(), e.err)
		if answered {
			c.inflight.Go(func() { e.finish(c, turn, size) })
		} else {
			e.free(c, turn, size)
		}
	})
	return e, nil
}

func (e *Exchange) stream(req *FetchRequest) {
	r, w := io.Pipe()
	context.AfterFunc(e.ctx, func() { r.CloseWithError(errOf(e.ctx)) })
	req.Body, e.Upload = r, w
	if req.BodySize == 0 {
		req.BodySize = -1
	}
}

// run waits for its turn and then for the response. It reports whether there is one.
func (e *Exchange) run(f Fetcher, req *FetchRequest, turn turn) bool {
	select {
	case <-turn:
	case <-e.ctx.Done():
		e.err = errOf(e.ctx)
		return false
	}
	e.response, e.err = f.Fetch(e.ctx, req)
	return e.err == nil
}

// status is that of the response, 0 if there is none.
func (e *Exchange) status() int {
	if e.response == nil {
		return 0
	}
	return e.response.Status
}

// finish waits for the end of the exchange. The one that closes the body is not
// the one that reads it, so that a Read ends with the exchange even where the
// body knows nothing of its context.
func (e *Exchange) finish(c *Call, turn turn, size int) {
	<-e.ctx.Done()
	e.response.Body.Close()
	e.free(c, turn, size)
}

// free gives back what the exchange occupied.
func (e *Exchange) free(c *Call, turn turn, size int) {
	e.cancel()
	c.connections.giveBack(turn)
	c.Release(size)
}

// Response waits for the response's headers.
func (e *Exchange) Response(c *Call) (*FetchResponse, error) {
	if err := e.Wait(c); err != nil {
		return nil, err
	}
	return e.response, e.err
}

// TakeBody waits for the response and gives its body away, once. The body's end
// or its Close frees the connection.
func (e *Exchange) TakeBody(c *Call) (io.ReadCloser, error) {
	response, err := e.Response(c)
	switch {
	case err != nil:
		return nil, err
	case e.taken:
		return nil, Errorf(CodeState, "this response's body has been taken already")
	}
	e.taken = true
	return &exchangeBody{Reader: response.Body, cancel: e.cancel}, nil
}

// Close cancels the exchange unless the guest holds the response's body.
func (e *Exchange) Close() error {
	if !e.taken {
		e.cancel()
	}
	return nil
}

// exchangeBody is the response's body as the guest holds it: its end is the end
// of the exchange, which closes the real one.
type exchangeBody struct {
	io.Reader
	cancel context.CancelFunc
	ended  error // what ended it, once that is known
}

// Read ends the exchange with the last bytes where the real one ends with them;
// reading on is then that end again, and not what ending did to the real one.
func (b *exchangeBody) Read(p []byte) (int, error) {
	if b.ended != nil {
		return 0, b.ended
	}
	n, err := b.Reader.Read(p)
	if err != nil {
		b.ended = err
		b.cancel()
	}
	return n, err
}

func (b *exchangeBody) Close() error {
	b.cancel()
	return nil
}
