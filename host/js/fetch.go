package js

import (
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

var fetchOps = []operation{
	{"opFetch", fetch},
	{"opFetchHead", fetchHead},
	{"opFetchBody", fetchBody},
	{"opFetchUpload", fetchUpload},
	{"opRateLimit", rateLimit},
}

// maxFetchText is for all of an outbound request, where each byte of a header may be
// two.
const maxFetchText = 2*host.MaxHeaders + host.MaxURL + 4096

// fetch begins an outbound request. text is the binding that it goes to, or nothing,
// NUL, method, NUL, URL, NUL, and the block of headers; data is the body, unless n says
// that it is streamed to what opFetchUpload gives: n is the handle of the body that will be,
// or -1 if it is none of the host's. Redirects are not followed.
func fetch(q *query) (kind, error) {
	if len(q.text) > maxFetchText {
		return 0, host.Errorf(host.CodeTooLarge, "URL and headers of %d bytes exceed the limit of %d", len(q.text), maxFetchText)
	}
	binding, rest, _ := strings.Cut(string(q.text), "\x00")
	method, rest, _ := strings.Cut(rest, "\x00")
	url, block, _ := strings.Cut(rest, "\x00")
	if len(method) > host.MaxMethod {
		return 0, host.Errorf(host.CodeInvalid, "method is longer than %d bytes", host.MaxMethod)
	}
	if len(url) > host.MaxURL {
		return 0, host.Errorf(host.CodeInvalid, "URL is longer than %d bytes", host.MaxURL)
	}
	headers := host.Headers(toLatin1([]byte(block)))
	if err := headers.Check(); err != nil {
		return 0, err
	}
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	req := &host.FetchRequest{Method: method, URL: url, Headers: headers}
	if q.n > 0 {
		b, err := idle(q)
		if err != nil {
			return 0, err
		}
		req.BodySize = b.size
	}
	e, err := q.send(binding, req)
	if err != nil {
		return 0, err
	}
	return q.watch(e)
}

func (q *query) send(binding string, req *host.FetchRequest) (*host.Exchange, error) {
	var e *host.Exchange
	var err *host.Error
	if binding == "" {
		e, err = q.Fetch(req, q.data, q.n != 0)
	} else if f, ok := q.Bindings.Fetchers[binding]; ok {
		e, err = q.FetchFrom(f, req, q.data, q.n != 0)
	} else {
		err = host.Errorf(host.CodeNotFound, "nothing that answers requests is bound to %.64q", binding)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// rateLimit counts: text is a binding, NUL, and a key. It gives whether that is
// within the limit.
func rateLimit(q *query) (kind, error) {
	if len(q.text) > maxOptions {
		return 0, errLongText
	}
	binding, key, _ := strings.Cut(string(q.text), "\x00")
	l, ok := q.Bindings.RateLimits[binding]
	if !ok {
		return 0, host.Errorf(host.CodeNotFound, "no rate limit is bound to %.64q", binding)
	}
	if len(key) > host.MaxRateKey {
		return 0, host.Errorf(host.CodeTooLarge, "the key of a rate limit has %d bytes; at most %d are allowed", len(key), host.MaxRateKey)
	}
	q.Work(host.RateLimitWeight)
	within, err := l.Limit([]byte(key))
	return boolean(within), err
}

// fetchHead gives the status, NUL, and the block of headers of a response.
func fetchHead(q *query) (kind, error) {
	e, err := handle[*host.Exchange](q)
	if err != nil {
		return 0, err
	}
	r, err := e.Response(q.Call)
	if err != nil {
		return 0, err
	}
	return q.give(strconv.Itoa(r.Status) + "\x00" + fromLatin1(r.Headers))
}

// fetchBody gives the handle of a response's body, and closes that of the exchange.
func fetchBody(q *query) (kind, error) {
	e, err := handle[*host.Exchange](q)
	if err != nil {
		return 0, err
	}
	body, err := e.TakeBody(q.Call)
	if err != nil {
		return 0, err
	}
	if err := q.Handles.Close(host.Handle(q.n)); err != nil {
		return 0, err
	}
	return q.open(&readable{r: body})
}

// fetchUpload gives the handle of what the body of an outbound request is written to, once.
func fetchUpload(q *query) (kind, error) {
	e, err := handle[*host.Exchange](q)
	if err != nil {
		return 0, err
	}
	if e.Upload == nil {
		return 0, host.Errorf(host.CodeState, "this request has no body to write, or it was taken already")
	}
	w := e.Upload
	e.Upload = nil
	return q.open(w)
}
