package assets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/assets"
)

// TestRouting has who answers: a status and a path, or the Function.
func TestRouting(t *testing.T) {
	files := []string{"/index.html", "/404.html", "/blog/404.html", "/about.html", "/logo.png", "/api/data.json"}
	tests := []struct {
		name   string
		config assets.Config
		opts   assets.Options
		req    *assets.Request
		want   string
	}{
		{"file", assets.Config{}, withFunction, get("/logo.png"), "200 /logo.png"},
		{"page", assets.Config{}, withFunction, get("/about"), "200 /about.html"},
		{"redirect keeps the query", assets.Config{}, withFunction, get("/about.html?a=1"), "307 /about?a=1"},
		{"nothing", assets.Config{}, withFunction, get("/x"), "function"},
		{"nothing, no Function", assets.Config{}, assets.Options{}, get("/x"), "404"},
		{"page 404, Function", assets.Config{NotFoundHandling: assets.Page404}, withFunction, get("/x"), "function"},
		{"page 404", assets.Config{NotFoundHandling: assets.Page404}, assets.Options{}, get("/x/y"), "404 /404.html"},
		{"nearest page 404", assets.Config{NotFoundHandling: assets.Page404}, assets.Options{}, get("/blog/x/y"), "404 /blog/404.html"},
		{"application", assets.Config{NotFoundHandling: assets.SPA}, assets.Options{}, get("/x/y"), "200 /index.html"},
		{"application, Function", assets.Config{NotFoundHandling: assets.SPA}, withFunction, get("/x/y"), "function"},
		{"application, Function, navigation", assets.Config{NotFoundHandling: assets.SPA}, withFunction, navigation("/x/y"), "function"},
		{"application, Function, navigation since", assets.Config{NotFoundHandling: assets.SPA}, newFunction, navigation("/x/y"), "200 /index.html"},
		{"application, Function, no navigation", assets.Config{NotFoundHandling: assets.SPA}, newFunction, get("/x/y"), "function"},
		{"POST to a file", assets.Config{}, withFunction, method("POST", "/logo.png"), "405"},
		{"POST to nothing", assets.Config{}, withFunction, method("POST", "/x"), "function"},
		{"HEAD", assets.Config{}, withFunction, method("HEAD", "/logo.png"), "200 /logo.png"},
		{"Function first", assets.Config{RunWorkerFirst: assets.First{All: true}}, withFunction, get("/logo.png"), "function"},
		{"Function first, no Function", assets.Config{RunWorkerFirst: assets.First{All: true}}, assets.Options{}, get("/logo.png"), "200 /logo.png"},
		{"pattern", first("/api/*"), withFunction, get("/api/data.json"), "function"},
		{"pattern, normalised", first("/api/*"), withFunction, get("/x/../api/data.json"), "function"},
		{"other path", first("/api/*"), withFunction, get("/logo.png"), "200 /logo.png"},
		{"negative pattern", first("/*", "!/logo.png"), withFunction, get("/logo.png"), "200 /logo.png"},
		{"negative pattern, nothing there", first("/*", "!/x"), withFunction, get("/x"), "404"},
		{"patterns keep what is not found", assets.Config{NotFoundHandling: assets.SPA, RunWorkerFirst: assets.First{Patterns: []string{"/api/*"}}}, withFunction, get("/x"), "200 /index.html"},
		{"dots", assets.Config{}, withFunction, get("/a/../logo.png"), "200 /logo.png"},
		{"encoded dots", assets.Config{}, withFunction, get("/a/%2e%2E/logo.png"), "200 /logo.png"},
		{"dots above the root", assets.Config{}, assets.Options{}, get("/../../etc/passwd"), "404"},
		{"encoded slash", assets.Config{}, assets.Options{}, get("/..%2f..%2fetc/passwd"), "404"},
		{"two slashes", assets.Config{}, assets.Options{}, get("//logo.png"), "307 /logo.png"},
		{"encoded host", assets.Config{}, assets.Options{}, get("/%2f%2fbad.example.com%2f"), "404"},
		{"encoded letter", assets.Config{}, assets.Options{}, get("/logo%2epng"), "307 /logo.png"},
		{"malformed", assets.Config{}, assets.Options{}, get("/%A0"), "404"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(site(tt.config, tt.opts, files...), tt.req, files); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

var (
	withFunction = assets.Options{Function: true, CompatibilityDate: "2024-01-01"}
	newFunction  = assets.Options{Function: true, CompatibilityDate: "2025-04-01"}
)

func first(patterns ...string) assets.Config {
	return assets.Config{RunWorkerFirst: assets.First{Patterns: patterns}}
}

func method(m, path string) *assets.Request {
	r := get(path)
	r.Method = m
	return r
}

func navigation(path string) *assets.Request {
	r := get(path)
	r.Navigate = true
	return r
}

// outcome is who answers, and with what.
func outcome(s *assets.Site, r *assets.Request, files []string) string {
	a, ok := s.Serve(r)
	if !ok {
		return "function"
	}
	text := fmt.Sprint(a.Status)
	if to := field(a, "Location"); to != "" {
		text += " " + to
	}
	if a.Content != nil {
		i := slices.IndexFunc(files, func(f string) bool { return content(f) == *a.Content })
		text += " " + files[i]
	}
	return text
}

func TestRedirects(t *testing.T) {
	s := site(assets.Config{HTMLHandling: assets.NoHTMLHandling, Redirects: `
# comment
/foo /bar 301
/home / # to the start
/proxy /other 200
/gone /not-there 200
/away https://example.org/there?x=1#y 308
/fragment /page#part
/dynamic/:seg /:seg/new/?with#params
/three/:a/:b/:c https://fakehost/:c/:a/:b/
/splat/* /:splat/new
/splat/foo/* /never
/late /still-found 303
/partial* /new-partial:splat
/slashes/* /:splat
`}, assets.Options{}, "/other", "/foo")
	tests := []struct{ path, want string }{
		{"/foo", "301 /bar"},
		{"/foo?q=1", "301 /bar?q=1"},
		{"/home", "302 /"},
		{"/proxy", "200 /other"},
		{"/gone", "404"},
		{"/away?q=1", "308 https://example.org/there?x=1#y"},
		{"/fragment?q=1", "302 /page?q=1#part"},
		{"/dynamic/foo?q=1", "302 /foo/new/?with#params"},
		{"/dynamic/foo/bar", "404"},
		{"/three/x/y/z", "302 https://fakehost/z/x/y/"},
		{"/splat/foo/bar", "302 /foo/bar/new"},
		{"/splat/", "302 /new"},
		{"/late", "303 /still-found"},
		{"/partialfoo/bar", "302 /new-partialfoo/bar"},
		{"/slashes//evil.example", "302 /evil.example"},
		{"/slashes/%2f%2fevil.example", "302 /%2f%2fevil.example"},
	}
	for _, tt := range tests {
		if got := outcome(s, get(tt.path), []string{"/other", "/foo"}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.path, got, tt.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := site(assets.Config{Headers: `
/*
  X-All: 1
/art/*
  X-Splat: is :splat
  Set-Cookie: me
/art/nested
  Set-Cookie: me too
/override
  ETag: rogue
/unset
  ! ETag
/again
  X-Again: 1
/again
  X-Again: 2
  X-Again: 3
https://:sub.example.com/hosted
  X-Sub: :sub
/page.html
  X-Redirect: yes
`}, assets.Options{}, "/art/nested", "/art/a b", "/override", "/unset", "/again", "/hosted", "/page.html")
	tests := []struct{ host, path, field, want string }{
		{"example.com", "/unset", "X-All", "1"},
		{"example.com", "/nothing", "X-All", "1"},
		{"example.com", "/art/a%20b", "X-Splat", "is a%20b"},
		{"example.com", "/art/nested", "Set-Cookie", "me, me too"},
		{"example.com", "/override", "ETag", "rogue"},
		{"example.com", "/unset", "ETag", ""},
		{"example.com", "/again", "X-Again", "2, 3"},
		{"shop.example.com", "/hosted", "X-Sub", "shop"},
		{"example.com", "/hosted", "X-Sub", ""},
		{"example.com", "/page.html", "X-Redirect", "yes"},
	}
	for _, tt := range tests {
		r := get(tt.path)
		r.Host = tt.host
		if got := field(s.Fetch(r), tt.field); got != tt.want {
			t.Errorf("%s%s: %s = %q, want %q", tt.host, tt.path, tt.field, got, tt.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := assets.NewSite(assets.Manifest{
		"/a.txt": {Content: assets.Content{Digest: content("a").Digest, Size: 100}, Type: "text/plain", Encoded: []assets.Encoded{
			{Encoding: "br", Content: assets.Content{Digest: content("br").Digest, Size: 10}},
			{Encoding: "gzip", Content: assets.Content{Digest: content("gz").Digest, Size: 20}},
		}},
		"/empty": {Content: content("")},
	}, assets.Config{}, assets.Options{})
	tag := func(text string) string { return `"` + content(text).Digest.String()[:32] + `"` }
	tests := []struct {
		name string
		edit func(*assets.Request)
		want string // status, offset, length, encoding, Content-Range
	}{
		{"plain", func(*assets.Request) {}, "200 0 100  "},
		{"brotli", func(r *assets.Request) { r.AcceptEncoding = "gzip, deflate, br" }, "200 0 10 br "},
		{"gzip", func(r *assets.Request) { r.AcceptEncoding = "gzip;q=0.5" }, "200 0 20 gzip "},
		{"brotli refused", func(r *assets.Request) { r.AcceptEncoding = "br;q=0, *" }, "200 0 20 gzip "},
		{"all refused", func(r *assets.Request) { r.AcceptEncoding = "br;q=0.0, gzip; Q=0, *;q=1" }, "200 0 100  "},
		{"any", func(r *assets.Request) { r.AcceptEncoding = "*" }, "200 0 10 br "},
		{"nonsense", func(r *assets.Request) { r.AcceptEncoding = "br;q=x, gzip;q=7,,;" }, "200 0 100  "},
		{"known", func(r *assets.Request) { r.IfNoneMatch = tag("a") }, "304 0 0  "},
		{"known, weak, in a list", func(r *assets.Request) { r.IfNoneMatch = `"x", W/` + tag("a") }, "304 0 0  "},
		{"known, any", func(r *assets.Request) { r.IfNoneMatch = "*" }, "304 0 0  "},
		{"known in another form", func(r *assets.Request) { r.IfNoneMatch, r.AcceptEncoding = tag("a"), "br" }, "200 0 10 br "},
		{"known brotli", func(r *assets.Request) { r.IfNoneMatch, r.AcceptEncoding = tag("br"), "br" }, "304 0 0 br "},
		{"range", func(r *assets.Request) { r.Range = "bytes=10-19" }, "206 10 10  bytes 10-19/100"},
		{"open range", func(r *assets.Request) { r.Range = "bytes=90-" }, "206 90 10  bytes 90-99/100"},
		{"last bytes", func(r *assets.Request) { r.Range = "bytes=-5" }, "206 95 5  bytes 95-99/100"},
		{"more than there is", func(r *assets.Request) { r.Range = "bytes=-500" }, "206 0 100  bytes 0-99/100"},
		{"past the end", func(r *assets.Request) { r.Range = "bytes=50-99999999999999999999" }, "206 50 50  bytes 50-99/100"},
		{"beyond", func(r *assets.Request) { r.Range = "bytes=100-" }, "416 0 0  bytes */100"},
		{"none at all", func(r *assets.Request) { r.Range = "bytes=-0" }, "416 0 0  bytes */100"},
		{"backwards", func(r *assets.Request) { r.Range = "bytes=9-1" }, "200 0 100  "},
		{"several", func(r *assets.Request) { r.Range = "bytes=0-1,3-4" }, "200 0 100  "},
		{"other unit", func(r *assets.Request) { r.Range = "lines=0-1" }, "200 0 100  "},
		{"signs", func(r *assets.Request) { r.Range = "bytes=+1-2" }, "200 0 100  "},
		{"range of the file itself", func(r *assets.Request) { r.Range, r.AcceptEncoding = "bytes=0-0", "br" }, "206 0 1  bytes 0-0/100"},
		{"range if the same", func(r *assets.Request) { r.Range, r.IfRange = "bytes=0-0", tag("a") }, "206 0 1  bytes 0-0/100"},
		{"range if another", func(r *assets.Request) { r.Range, r.IfRange = "bytes=0-0", tag("b") }, "200 0 100  "},
		{"range if weak", func(r *assets.Request) { r.Range, r.IfRange = "bytes=0-0", "W/"+tag("a") }, "200 0 100  "},
		{"HEAD has no range", func(r *assets.Request) { r.Method, r.Range = "HEAD", "bytes=0-0" }, "200 0 100  "},
		{"range of nothing", func(r *assets.Request) { r.Path, r.Range = "/empty", "bytes=0-" }, "416 0 0  bytes */0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get("/a.txt")
			tt.edit(r)
			a := s.Fetch(r)
			got := fmt.Sprintf("%d %d %d %s %s", a.Status, a.Offset, a.Length, field(a, "Content-Encoding"), field(a, "Content-Range"))
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if vary := field(a, "Vary"); r.Path == "/a.txt" && vary != "Accept-Encoding" {
				t.Errorf("got Vary: %q", vary)
			}
		})
	}
}

func TestCacheControl(t *testing.T) {
	s := site(assets.Config{}, assets.Options{}, "/a")
	r := get("/a")
	if got := field(s.Fetch(r), "Cache-Control"); got != "public, max-age=0, must-revalidate" {
		t.Errorf("got %q", got)
	}
	r.Authorized = true
	if got := field(s.Fetch(r), "Cache-Control"); got != "" {
		t.Errorf("with Authorization: got %q", got)
	}
}

// TestConfigErrors has what users write by mistake, and what they are told.
func TestConfigErrors(t *testing.T) {
	tests := []struct {
		config assets.Config
		want   string
	}{
		{assets.Config{HTMLHandling: "auto"}, `html_handling is "auto"; it can be auto-trailing-slash`},
		{assets.Config{NotFoundHandling: "spa"}, `not_found_handling is "spa"; it can be none, single-page-application`},
		{first("api/*"), `"api/*" does not begin with / or !/`},
		{first("!/x"), "has no pattern without a !"},
		{assets.Config{RunWorkerFirst: assets.First{Patterns: []string{}}}, "has no pattern without a !"},
		{first("/a", "/a"), "given twice"},
		{first("/a/*", "/a/b"), `because of "/a/*"`},
		{first("/" + strings.Repeat("a", 100)), "has 101 bytes"},
		{first(strings.Split(strings.Repeat("/,", 100)+"/", ",")...), "has 101 patterns"},
		{assets.Config{Redirects: "\n/a"}, "_redirects:2: there are 1 words"},
		{assets.Config{Redirects: "/a /b /c /d"}, "there are 4 words"},
		{assets.Config{Redirects: "https://x/a /b"}, "redirects begin at a path"},
		{assets.Config{Redirects: "/a http://x"}, "neither a path that begins with / nor an https:// URL"},
		{assets.Config{Redirects: "/a /b 404"}, `the status "404"`},
		{assets.Config{Redirects: "/a /b\n/a /c"}, "_redirects:2: there is already a line for /a"},
		{assets.Config{Redirects: "/* /index.html 200"}, "again and again"},
		{assets.Config{Redirects: "/a https://x/ 200"}, "only a path of this site"},
		{assets.Config{Redirects: "/*/* /b"}, "two * or :splat"},
		{assets.Config{Redirects: "/" + strings.Repeat("a", 2000) + " /b"}, "the line has 2004 characters"},
		{assets.Config{Redirects: numbered("/s%d /x\n", 2001)}, "_redirects:2001: there are more than 2000 lines without"},
		{assets.Config{Redirects: numbered("/d%d/* /x\n", 101)}, "_redirects:101: there are more than 100 lines with"},
		{assets.Config{Headers: "X-A: 1"}, "_headers:1: a path comes before"},
		{assets.Config{Headers: "/a\n/b\n X: 1"}, "_headers:1: /a has no header fields"},
		{assets.Config{Headers: "/a\n X A: 1"}, `"x a" can't be the name`},
		{assets.Config{Headers: "/a\n X:"}, "x has no value"},
		{assets.Config{Headers: "/a\n X"}, "this is neither a path, a field"},
		{assets.Config{Headers: "/a\n Content-Length: 1"}, "content-length belongs to the connection"},
		{assets.Config{Headers: "/a\n X: a\x01b"}, "control character"},
		{assets.Config{Headers: "http://x/\n X: 1"}, "neither a path that begins with / nor an https:// URL"},
		{assets.Config{Headers: "https://x:80/\n X: 1"}, "has a port"},
		{assets.Config{Headers: "/*/*\n X: 1"}, "two * or :splat"},
		{assets.Config{Headers: numbered("/h%d\n X: 1\n", 101)}, "_headers:201: there are more than 100 paths"},
	}
	for _, tt := range tests {
		err := tt.config.Check()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want it to say %q", err, tt.want)
		}
	}
	ok := assets.Config{HTMLHandling: "none", NotFoundHandling: "404-page", RunWorkerFirst: assets.First{Patterns: []string{"/api/*", "!/api/docs/*"}},
		Redirects: "/a /b\r\n/ /index", Headers: "/a\r\n X: 1: 2\r\n! Y"}
	if err := ok.Check(); err != nil {
		t.Error(err)
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestCheckPath(t *testing.T) {
	for _, path := range []string{"/a", "/a b/ü", "/a%2f", "/...", "/.well-known/x", "/index.html"} {
		if err := assets.CheckPath(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"", "/", "a", "/a/", "//a", "/../a", "/a/.", "/a\x00", "/\xff", "/" + strings.Repeat("a", 1024)} {
		if assets.CheckPath(path) == nil {
			t.Errorf("path %q was accepted", path)
		}
	}
}
