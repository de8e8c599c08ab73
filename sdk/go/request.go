package mayfly

import (
	"io"
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Request is the request that the Function was called with. Its parts are
// fetched from the node when they are asked for.
type Request struct {
	url  string
	body io.Reader
}

// Method returns the method, for example "GET".
func (r *Request) Method() string { return host.RequestMethod() }

// URL returns the absolute URL as the client sent it, for example
// "https://example.com/a%20b?q=1". Use net/url to take it apart.
func (r *Request) URL() string {
	if r.url == "" {
		r.url = host.RequestURL()
	}
	return r.url
}

// Path returns the path of the URL, still percent-encoded; at least "/".
func (r *Request) Path() string {
	_, rest, _ := strings.Cut(r.URL(), "://")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// Header returns the first value of the named field in any case, or "".
func (r *Request) Header(name string) string {
	value, _ := host.RequestField(name)
	return value
}

// Headers returns all fields in the order they came in. It makes a new copy
// with each call.
func (r *Request) Headers() Header { return host.RequestFields() }

// Client returns the IP address of the client.
func (r *Request) Client() string { return host.RequestClient() }

// Body returns the body, which streams in as it is read. It is never nil and
// the same with each call. It can't be read any more in [WaitUntil].
func (r *Request) Body() io.Reader {
	if r.body == nil {
		r.body = openBody()
	}
	return r.body
}

func openBody() io.Reader {
	body, err := host.RequestBody()
	if err != nil {
		return failed{fail("request body", err)}
	}
	if body == nil {
		return strings.NewReader("")
	}
	return bodyReader{body, "request body"}
}
