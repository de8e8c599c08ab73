package host

import (
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
// what the guest has no say in. With streamed, the request's body is what the
// guest writes to Upload.
func (c *Call) Fetch(req *FetchRequest, streamed bool) (*Exchange, *Error) {
	if c.Usage.Subrequests == c.Limits.Subrequests {
		return nil, Errorf(CodeLimit, "the limit of %d outbound requests per invocation is used up", c.Limits.Subrequests)
	}
	c.Usage.Subrequests++
	req.Account, req.Egress = c.Bindings.Account, c.Bindings.Egress
	if loop, ok := c.Request.Headers.Get("cdn-loop"); ok {
		req.Loop = string(loop)
	}
	e := &Exchange{}
	e.ctx, e.cancel = context.WithCancel(c.Context())
	if streamed {
		e.stream(req)
	}
	slots := c.connectionSlots()
	e.Task = c.Start(func(context.Context) { e.run(c.Services.Fetcher, req, slots) })
	return e, nil
}

// connectionSlots holds one element per open connection.
func (c *Call) connectionSlots() chan struct{} {
	if c.connections == nil {
		c.connections = make(chan struct{}, c.Limits.OpenConnections)
	}
	return c.connections
}

func (e *Exchange) stream(req *FetchRequest) {
	r, w := io.Pipe()
	context.AfterFunc(e.ctx, func() { r.CloseWithError(context.Cause(e.ctx)) })
	req.Body, req.BodySize, e.Upload = r, -1, w
}

func (e *Exchange) run(f Fetcher, req *FetchRequest, slots chan struct{}) {
	select {
	case slots <- struct{}{}:
		context.AfterFunc(e.ctx, func() { <-slots })
	case <-e.ctx.Done():
		e.err = context.Cause(e.ctx)
		return
	}
	e.response, e.err = f.Fetch(e.ctx, req)
	if e.err != nil {
		e.cancel()
	}
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
	return &exchangeBody{response.Body, e.cancel}, nil
}

// Close cancels the exchange unless the guest holds the response's body.
func (e *Exchange) Close() error {
	if !e.taken {
		e.cancel()
	}
	return nil
}

type exchangeBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *exchangeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.cancel()
	}
	return n, err
}

func (b *exchangeBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
