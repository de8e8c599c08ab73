package mayfly

import (
	"context"
	"errors"
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
	// Any other is streamed while the response may already arrive, and is not
	// closed.
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x, err := r.send()
	if err != nil {
		return nil, fail("fetch", err)
	}
	stop := context.AfterFunc(ctx, func() { x.Close() })
	status, fields, body, err := x.Response()
	if err != nil {
		stop()
		if errors.Is(fail("fetch", err), ErrCanceled) && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fail("fetch", err)
	}
	return &FetchResponse{status, fields, &fetchBody{ctx, body, stop}}, nil
}

func (r *FetchRequest) send() (host.Exchange, error) {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	if r.Body == nil {
		return host.Fetch(method, r.URL, r.Header, nil)
	}
	if _, ok := r.Body.(interface{ Len() int }); ok {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return host.Fetch(method, r.URL, r.Header, body)
	}
	x, upload, err := host.FetchStream(method, r.URL, r.Header)
	if err == nil {
		go send(upload, r.Body, x)
	}
	return x, err
}

// send copies the body. An upload that is cut short must not look complete, so
// the exchange is given up with it. A server that doesn't want all of it is
// fine: it has answered or will.
func send(upload io.WriteCloser, body io.Reader, x host.Exchange) {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, err := upload.Write(buf[:n]); err != nil {
				break
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			Log(LevelWarn, "fetch: read body to send: "+err.Error())
			x.Close()
			break
		}
	}
	upload.Close()
}

// fetchBody is a response's body that tells why it was cut short.
type fetchBody struct {
	ctx  context.Context
	body io.ReadCloser
	stop func() bool
}

func (b *fetchBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil {
		return n, nil
	}
	defer b.stop()
	if err != io.EOF && b.ctx.Err() != nil {
		return n, b.ctx.Err()
	}
	return n, fail("fetch response body", err)
}

func (b *fetchBody) Close() error {
	b.stop()
	return b.body.Close()
}
