package fetch

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
)

// An exchange is one request and its response, from the first byte to the last.
type exchange struct {
	caller context.Context // bounds the exchange
	ctx    context.Context // within caller; ends with the exchange
	cancel context.CancelFunc
	target string  // host and port as the guest named them
	upload *upload // nil without a request body
}

func (x *exchange) end() {
	x.cancel()
	if x.upload != nil {
		x.upload.Close()
	}
}

func (x *exchange) response(resp *http.Response) (*host.FetchResponse, error) {
	headers, valid := responseHeaders(resp.Header)
	// After a 101 the connection would no longer be HTTP.
	if resp.StatusCode < 200 || !valid {
		x.end()
		resp.Body.Close()
		return nil, host.Errorf(host.CodeUnavailable, "%s sent headers that are not HTTP's, or switched protocols unasked", x.target)
	}
	return &host.FetchResponse{Status: resp.StatusCode, Headers: headers, Body: &body{x, resp.Body}}, nil
}

// body is a response's body. Closing it ends the exchange: what is left of the
// upload is not sent.
type body struct {
	*exchange
	wire io.ReadCloser
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.wire.Read(p)
	if err != nil && err != io.EOF {
		return n, b.explain(err)
	}
	return n, err
}

func (b *body) Close() error {
	b.end() // first, so that closing doesn't wait for a silent upstream
	b.wire.Close()
	return nil
}

// upload is a request's body. It remembers why it failed, which net/http would
// report as a failure of the connection.
type upload struct {
	source io.Reader
	size   int64 // -1 when streamed
	sent   int64
	closed atomic.Bool
	failed atomic.Pointer[host.Error]
}

// newUpload returns nil for a request without a body.
func newUpload(req *host.FetchRequest) *upload {
	if req.Body == nil || req.BodySize == 0 {
		return nil
	}
	return &upload{source: req.Body, size: max(req.BodySize, -1)}
}

// Read ends after size bytes without asking the source for its end, which may
// wait for the response.
func (u *upload) Read(p []byte) (int, error) {
	if u.closed.Load() {
		return 0, context.Canceled
	}
	if u.size >= 0 && u.sent == u.size {
		return 0, io.EOF
	}
	if u.size >= 0 {
		p = p[:min(int64(len(p)), u.size-u.sent)]
	}
	n, err := u.source.Read(p)
	u.sent += int64(n)
	if failure := u.check(err); failure != nil {
		u.failed.Store(failure)
		return 0, failure
	}
	return n, err
}

func (u *upload) check(err error) *host.Error {
	switch {
	case err != nil && err != io.EOF:
		return asError(err, host.CodeCanceled, "the request's body ended early")
	case err == io.EOF && u.sent < u.size:
		return host.Errorf(host.CodeInvalid, "the request's body is %d bytes long, not the %d announced", u.sent, u.size)
	}
	return nil
}

// Close frees a source that is being waited for.
func (u *upload) Close() error {
	if c, ok := u.source.(io.Closer); ok && !u.closed.Swap(true) {
		c.Close()
	}
	u.closed.Store(true)
	return nil
}
