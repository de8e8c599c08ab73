package mayflytest

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// exchange runs the upstream's handler on a goroutine and is at the same time
// the http.ResponseWriter that the handler writes to.
type exchange struct {
	cancel context.CancelFunc
	upload io.Reader // the request's body

	header  http.Header
	once    sync.Once     // of the head
	head    chan struct{} // closed when the fields below are set
	status  int
	fields  []host.Field
	failure error

	reader *io.PipeReader // the response's body,
	writer *io.PipeWriter // and its other end
}

// Fetch implements host.Node.
func (i *invocation) Fetch(method, url string, fields []host.Field, body io.Reader) (host.Exchange, error) {
	return i.exchange(i.node.Upstream, method, url, fields, body)
}

// FetchFrom implements host.Node.
func (i *invocation) FetchFrom(binding, method, url string, fields []host.Field, body io.Reader) (host.Exchange, error) {
	service, ok := i.node.Services[binding]
	if !ok {
		return nil, &host.Error{Code: host.NotFound}
	}
	return i.exchange(service, method, url, fields, body)
}

func (i *invocation) exchange(upstream http.Handler, method, url string, fields []host.Field, body io.Reader) (host.Exchange, error) {
	if err := checkFields(fields); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &exchange{cancel: cancel, upload: body, header: http.Header{}, head: make(chan struct{})}
	x.reader, x.writer = io.Pipe()
	i.mu.Lock()
	i.fetches = append(i.fetches, x)
	i.mu.Unlock()
	i.fetching.Go(func() { x.run(ctx, upstream, method, url, fields) })
	return x, nil
}

func (x *exchange) run(ctx context.Context, upstream http.Handler, method, url string, fields []host.Field) {
	defer x.closeUpload()
	req, err := http.NewRequestWithContext(ctx, method, url, x.upload)
	switch {
	case err != nil:
		x.fail(host.Invalid, err.Error())
	case req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https":
		x.fail(host.Invalid, "URL must be absolute, http or https")
	case upstream == nil:
		x.fail(host.Unavailable, "mayflytest.Node has no Upstream")
	default:
		setHeader(req.Header, fields)
		req.RequestURI, req.RemoteAddr = req.URL.RequestURI(), "192.0.2.1:1234"
		x.serve(upstream, req)
	}
}

// serve runs the handler; its panic breaks the exchange off, as a server's would.
func (x *exchange) serve(upstream http.Handler, req *http.Request) {
	defer func() {
		if recover() != nil {
			x.fail(host.Unavailable, "upstream broke off")
		}
	}()
	upstream.ServeHTTP(x, req)
	x.WriteHeader(200)
	x.writer.Close()
}

func (x *exchange) fail(code host.Code, message string) {
	err := &host.Error{Code: code, Message: message}
	x.once.Do(func() {
		x.failure = err
		close(x.head)
	})
	x.writer.CloseWithError(err)
}

// closeUpload lets the handler that sends the body know that nobody reads it.
func (x *exchange) closeUpload() {
	if c, ok := x.upload.(*io.PipeReader); ok {
		c.CloseWithError(&host.Error{Code: host.Canceled, Message: "upstream is done"})
	}
}

// Response implements host.Exchange.
func (x *exchange) Response() (int, []host.Field, io.ReadCloser, error) {
	<-x.head
	return x.status, x.fields, x, x.failure
}

// Read reads the response's body.
func (x *exchange) Read(p []byte) (int, error) { return x.reader.Read(p) }

// Close implements host.Exchange, and ends the body.
func (x *exchange) Close() error {
	x.cancel()
	x.fail(host.Canceled, "given up")
	x.closeUpload()
	return nil
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status < 200 {
		return // a node passes on no informational responses
	}
	x.once.Do(func() {
		x.status, x.fields = status, fromHeader(x.header)
		close(x.head)
	})
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	x.WriteHeader(200)
	return x.writer.Write(p)
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { x.WriteHeader(200) }
