package assets_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/assets"
)

// FuzzServe wants answers that can be sent, whatever is asked: a file's bytes within
// it, header values without control characters, and redirects that stay on the site.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{"/", "/index", "/a.html", "/a/../b", "/%2e%2e/x", "//x", "/%", "/%zz", "/d/%2f%2fx", "/[x]"} {
		f.Add(seed, "bytes=0-", "br, gzip;q=0", 0)
	}
	f.Add("/x", "bytes=-1", "*", 3)
	handlings := assets.HTMLHandlings()
	f.Fuzz(func(t *testing.T, path, ranged, accept string, handling int) {
		if path == "" || path[0] != '/' || strings.ContainsAny(path, "?#\\") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return // the front end refuses it
		}
		s := site(assets.Config{HTMLHandling: handlings[uint(handling)%4], NotFoundHandling: assets.NotFoundHandlings()[uint(handling)%3],
			Redirects: "/r/* /:splat\n/p/:a/x /:a 200", Headers: "/*\n X: :splat"}, assets.Options{},
			"/index.html", "/404.html", "/a.html", "/a/index.html", "/b", "/[x]")
		r := &assets.Request{Method: http.MethodGet, Host: "example.com", Path: path, Range: ranged, AcceptEncoding: accept}
		a, ok := s.Serve(r)
		if !ok || a.Status < 200 || a.Status > 499 {
			t.Fatalf("got %+v, %v", a, ok)
		}
		if a.Content != nil && (a.Offset < 0 || a.Length < 0 || a.Offset+a.Length > a.Content.Size) {
			t.Errorf("got bytes %d to %d of %d", a.Offset, a.Offset+a.Length, a.Content.Size)
		}
		for _, h := range a.Header {
			if strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%s = %q", h.Name, h.Value)
			}
		}
		if to := field(a, "Location"); to != "" && (to[0] != '/' || strings.HasPrefix(to, "//")) {
			t.Errorf("%s leads to %s", path, to)
		}
	})
}

// FuzzConfig wants that what is accepted makes a Site that answers.
func FuzzConfig(f *testing.F) {
	f.Add("/a /b 301\n/x/* /y/:splat", "/a\n X: 1\n ! Y\nhttps://:a.b/*\n Z: :splat", "/api/*,!/api/x")
	f.Add("/:a/:a /b", "/*/*\n X: 1", "*")
	f.Add("/%/* /:", "https:///\n:", "!/")
	f.Fuzz(func(t *testing.T, redirects, headers, patterns string) {
		c := assets.Config{Redirects: redirects, Headers: headers, RunWorkerFirst: assets.First{Patterns: strings.Split(patterns, ",")}}
		if c.Check() != nil {
			c.RunWorkerFirst = assets.First{}
			if c.Check() != nil {
				return
			}
		}
		s := site(c, assets.Options{Function: true}, "/index.html", "/a")
		for _, path := range []string{"/", "/a", "/x/y", "/api/x"} {
			a, ok := s.Serve(get(path))
			for _, h := range a.Header {
				if ok && strings.ContainsAny(h.Value, "\r\n\x00") {
					t.Errorf("%s = %q", h.Name, h.Value)
				}
			}
		}
	})
}
