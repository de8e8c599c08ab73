package mayfly

import (
	"context"
	"io"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// FetchRequest is a request to another server.
type FetchRequest struct {
	Method string // "" means GET
	URL    string // absolute, http or https
	Header Header

	// Body is sent to its end; nil for none. One that knows its length, as
	// bytes.Reader, bytes.Buffer and strings.Reader do, is sent in one piece.
	// Any other is streamed while the response may already arrive. An io.Closer
	// is closed when it was read to its end or the exchange has failed.
	Body io.Reader
}

// FetchResponse is what the other server answered.
type FetchResponse struct {
	Status int
	Header Header

	// Body streams in as it is read. Close it, or read it to its end: an
	// invocation has room for 6 open responses, and further requests wait.
	Body io.ReadCloser
}

// Fetch sends a request and returns when the head of the response is there.
// Redirects are not followed, and no content encoding is undone. Several
// goroutines may fetch at the same time; an invocation has 50 requests unless
// configured otherwise.
//
// When ctx is done, the exchange is given up, including a body that is being
// read. The invocation's own time limit applies anyway.
func Fetch(ctx context.Context, r *FetchRequest) (*FetchResponse, error) {
	return r.fetch(ctx, "fetch", sender{host.Fetch, host.FetchStream})
}

// sender begins exchanges, with a body that is complete or with one that is written.
type sender struct {
	whole  func(method, url string, fields []host.Field, body []byte) (host.Exchange, error)
	stream func(method, url string, fields []host.Field) (host.Exchange, io.WriteCloser, error)
}

// fetch does what Fetch says; op is for its errors.
func (r *FetchRequest) fetch(ctx context.Context, op string, to sender) (*FetchResponse, error) {
	if ctx.Err() != nil {
		closeBody(r.Body)
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	x, err := r.send(cancel, to)
	if err != nil {
		cancel(nil)
		return nil, fail(op, err)
	}
	stop := context.AfterFunc(ctx, func() { x.Close() })
	status, fields, body, err := x.Response()
	if err != nil {
		err = cause(ctx, fail(op, err))
		cancel(nil)
		closeBody(r.Body) // whoever writes to it must not wait for ever
		return nil, err
	}
	end := func() { stop(); cancel(nil) }
	return &FetchResponse{status, fields, &fetchBody{ctx, body, end}}, nil
}

// cause is why an exchange failed: the context if that is done, else err.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (r *FetchRequest) send(cancel context.CancelCauseFunc, to sender) (host.Exchange, error) {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	if r.Body == nil {
		return to.whole(method, r.URL, r.Header, nil)
	}
	if _, ok := r.Body.(interface{ Len() int }); ok {
		defer closeBody(r.Body)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return to.whole(method, r.URL, r.Header, body)
	}
	x, upload, err := to.stream(method, r.URL, r.Header)
	if err != nil {
		closeBody(r.Body)
		return nil, err
	}
	go send(upload, r.Body, cancel, x)
	return x, nil
}

func closeBody(body io.Reader) {
	if c, ok := body.(io.Closer); ok {
		c.Close()
	}
}

// send copies the body. An upload that is cut short must not look complete, so
// the exchange is given up before the upload is closed.
func send(upload io.WriteCloser, body io.Reader, cancel context.CancelCauseFunc, x host.Exchange) {
	defer closeBody(body)
	defer upload.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, err := upload.Write(buf[:n]); err != nil {
				return // a server may answer without wanting all of it
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			cancel(err)
			x.Close()
			return
		}
	}
}

// fetchBody is a response's body that tells why it was cut short.
type fetchBody struct {
	ctx  context.Context // of the exchange, whose end this is
	body io.ReadCloser
	end  func()
}

func (b *fetchBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		err = cause(b.ctx, fail("fetch response body", err))
	}
	b.end()
	return n, err
}

func (b *fetchBody) Close() error {
	b.end()
	return b.body.Close()
}
