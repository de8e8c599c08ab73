package assets

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// Fetch implements host.Fetcher for the Function itself: it gets what there is at the
// URL's path, also where the Function comes first. The URL's host may be any.
func (h *Handle) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	if c, ok := req.Body.(io.Closer); ok {
		defer c.Close()
	}
	site, r, err := h.asked(ctx, req)
	if err != nil {
		return nil, err
	}
	return h.response(ctx, r, site.Fetch(r))
}

// Serve answers a request as one from outside, or with nil if it is the Function's.
func (h *Handle) Serve(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	site, r, err := h.asked(ctx, req)
	if err != nil {
		return nil, err
	}
	a, ok := site.Serve(r)
	if !ok {
		return nil, nil
	}
	return h.response(ctx, r, a)
}

func (h *Handle) asked(ctx context.Context, req *host.FetchRequest) (*Site, *Request, error) {
	r, err := requestOf(req)
	if err != nil {
		return nil, nil, err
	}
	site, err := h.Site(ctx)
	return site, r, err
}

func (h *Handle) response(ctx context.Context, r *Request, a Answer) (resp *host.FetchResponse, err error) {
	resp = &host.FetchResponse{Status: a.Status, Body: http.NoBody}
	for _, f := range a.Header {
		resp.Headers = resp.Headers.Add(strings.ToLower(f.Name), f.Value)
	}
	if a.Content == nil {
		return resp, nil
	}
	resp.Headers = resp.Headers.Add("content-length", strconv.FormatInt(a.Length, 10))
	if r.Method != http.MethodHead {
		resp.Body, err = h.server.body(ctx, &a)
	}
	return resp, err
}

// body is what an Answer sends.
func (s *Server) body(ctx context.Context, a *Answer) (io.ReadCloser, error) {
	data, ok, err := s.Bytes(ctx, a.Content)
	if err != nil {
		return nil, err
	}
	if ok {
		return io.NopCloser(bytes.NewReader(data[a.Offset : a.Offset+a.Length])), nil
	}
	return s.Open(ctx, a.Content, a.Offset, a.Length)
}

func requestOf(req *host.FetchRequest) (*Request, error) {
	u, err := url.Parse(req.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, host.Errorf(host.CodeInvalid, "%.100q is not an absolute URL such as https://assets.local/logo.png", req.URL)
	}
	r := &Request{Method: req.Method, Host: strings.ToLower(u.Hostname()), Path: u.EscapedPath()}
	if r.Path == "" {
		r.Path = "/"
	}
	if u.RawQuery != "" {
		r.Query = "?" + escape(u.RawQuery, querySet)
	}
	text := func(name string) string {
		v, _ := req.Headers.Get(name)
		return string(v)
	}
	r.AcceptEncoding, r.IfNoneMatch, r.Range, r.IfRange = text("accept-encoding"), text("if-none-match"), text("range"), text("if-range")
	_, r.Authorized = req.Headers.Get("authorization")
	return r, nil
}
