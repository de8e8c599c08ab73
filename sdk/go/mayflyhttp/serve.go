// Package mayflyhttp runs any http.Handler as a Function and lets http.Client
// send requests from one.
//
//	func init() {
//		mux := http.NewServeMux()
//		mux.HandleFunc("GET /hello/{name}", hello)
//		mayflyhttp.Serve(mux)
//	}
//
//	func main() {} // required by Go, never called
//
// It links net/http, which makes a module some 4 MB larger than package mayfly
// alone does, and every module that uses it runs on a thread of its own.
package mayflyhttp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Serve registers the handler of HTTP requests; call it from func init.
//
// The response is kept back until the handler returns, has written more than
// 64 KiB, or flushes; from then on it is streamed. The handler's panics are not
// recovered: the node logs them, and answers with status 500 or, if the
// response is being streamed, cuts the connection.
//
// The request's context is done when the handler has returned, so what is given
// to mayfly.WaitUntil needs another. Trailers, HTTP/1 hijacking and informational responses (1xx) are not supported.
func Serve(h http.Handler) {
	host.Handle(func() { serve(h) })
}

func serve(h http.Handler) {
	r, cancel, err := request()
	w := &responseWriter{header: http.Header{}}
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
	} else {
		defer cancel()
		h.ServeHTTP(w, r)
	}
	w.end()
}

// request makes the request that a server would.
func request() (*http.Request, context.CancelFunc, error) {
	var in mayfly.Request
	u, err := url.Parse(in.URL())
	if err != nil {
		return nil, nil, err
	}
	r := &http.Request{
		Method:     in.Method(),
		URL:        &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery},
		RequestURI: u.RequestURI(),
		Host:       u.Host,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:     toHeader(in.Headers()),
		RemoteAddr: net.JoinHostPort(in.Client(), "0"), // handlers expect a port
	}
	r.Header.Del("Host")
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	setBody(r, in.Body())
	ctx, cancel := context.WithCancel(context.Background())
	return r.WithContext(ctx), cancel, nil
}

// setBody gives r its body, whose length is not known unless there is none.
func setBody(r *http.Request, body io.Reader) {
	if b, ok := body.(interface{ Len() int }); ok && b.Len() == 0 {
		r.Body = http.NoBody
		return
	}
	r.ContentLength = -1
	if b, ok := body.(io.ReadCloser); ok {
		r.Body = b
		return
	}
	r.Body = io.NopCloser(body)
}

func toHeader(fields mayfly.Header) http.Header {
	h := make(http.Header, len(fields))
	for _, f := range fields {
		h.Add(f[0], f[1])
	}
	return h
}

func fromHeader(h http.Header) mayfly.Header {
	fields := make(mayfly.Header, 0, len(h))
	for name, values := range h {
		for _, v := range values {
			fields.Add(name, v)
		}
	}
	return fields
}
