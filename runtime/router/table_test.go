package router_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/router"
)

// mustTable builds a table from patterns whose targets are their own text; a
// "!" before a pattern negates.
func mustTable(t testing.TB, patterns ...string) *router.Table[string] {
	t.Helper()
	var routes []router.Route[string]
	for _, text := range patterns {
		text, negate := strings.CutPrefix(text, "!")
		routes = append(routes, router.Route[string]{Pattern: mustPattern(t, text), Target: text, Negate: negate})
	}
	table, err := router.NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// lookup returns the target for a URL, or "" when nothing matches.
func lookup(t testing.TB, table *router.Table[string], url string) string {
	t.Helper()
	scheme, rest, _ := strings.Cut(url, "://")
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	got, ok := table.Lookup([]byte(scheme), []byte(host), []byte(path))
	if ok != (got != "") {
		t.Fatalf("%s: got %q with %v", url, got, ok)
	}
	return got
}

func TestLookup(t *testing.T) {
	nothing := ""
	tests := []struct {
		name     string
		patterns []string
		want     map[string]string // URL to pattern
	}{
		{"scheme", []string{"http://one.example.com/*", "https://two.example.com/*", "both.example.com/*"}, map[string]string{
			"http://one.example.com/":   "http://one.example.com/*",
			"https://one.example.com/":  nothing,
			"https://two.example.com/":  "https://two.example.com/*",
			"http://two.example.com/":   nothing,
			"http://both.example.com/":  "both.example.com/*",
			"https://both.example.com/": "both.example.com/*",
			"ftp://both.example.com/":   "both.example.com/*",
			"ftp://one.example.com/":    nothing,
		}},
		{"no path is the root", []string{"example.com"}, map[string]string{
			"https://example.com":    "example.com",
			"https://example.com/":   "example.com",
			"https://example.com/a":  nothing,
			"https://example.com/?a": nothing,
		}},
		{"host begins with star", []string{"*example.com/*"}, map[string]string{
			"https://example.com/":       "*example.com/*",
			"https://myexample.com/":     "*example.com/*",
			"https://www.example.com/":   "*example.com/*",
			"https://a.b.example.com/":   "*example.com/*",
			"https://example.org/":       nothing,
			"https://example.com.evil/":  nothing,
			"https://xample.com/":        nothing,
			"https://example.community/": nothing,
		}},
		{"subdomains only", []string{"*.example.com/*"}, map[string]string{
			"https://www.example.com/": "*.example.com/*",
			"https://a.b.example.com/": "*.example.com/*",
			"https://example.com/":     nothing,
			"https://myexample.com/":   nothing,
		}},
		{"every host", []string{"*/*"}, map[string]string{
			"https://example.com/a?b": "*/*",
			"http://localhost":        "*/*",
			"http:///a":               "*/*",
			"http://[::1]:8080/a":     "*/*",
		}},
		{"part of a label", []string{"*-api.example.com/*"}, map[string]string{
			"https://v1-api.example.com/": "*-api.example.com/*",
			"https://api.example.com/":    nothing,
		}},
		{"path ends with star", []string{"example.com/path*"}, map[string]string{
			"https://example.com/path":     "example.com/path*",
			"https://example.com/path/":    "example.com/path*",
			"https://example.com/path2":    "example.com/path*",
			"https://example.com/path?a=b": "example.com/path*",
			"https://example.com/path/a/b": "example.com/path*",
			"https://example.com/pat":      nothing,
			"https://example.com/":         nothing,
		}},
		{"folder", []string{"example.com/path/*"}, map[string]string{
			"https://example.com/path/":  "example.com/path/*",
			"https://example.com/path/a": "example.com/path/*",
			"https://example.com/path":   nothing,
			"https://example.com/path?a": nothing,
		}},
		{"no star no query", []string{"example.com/path"}, map[string]string{
			"https://example.com/path":     "example.com/path",
			"https://example.com/path?":    nothing,
			"https://example.com/path?a=b": nothing,
			"https://example.com/path/":    nothing,
		}},
		{"case", []string{"Example.COM/Path*"}, map[string]string{
			"https://eXAMPLE.com/Path": "Example.COM/Path*",
			"https://example.com/path": nothing,
		}},
		{"ASCII form of a name", []string{"*xn--bcher-kva.example/*", "*.xn--bcher-kva.example/*"}, map[string]string{
			"https://xn--bcher-kva.example/":     "*xn--bcher-kva.example/*",
			"https://www.XN--bcher-kva.example/": "*.xn--bcher-kva.example/*",
		}},
		{"most specific host", []string{"*/*", "*example.com/*", "*.example.com/*", "*.a.example.com/*", "www.example.com/*"}, map[string]string{
			"https://www.example.com/a/b": "www.example.com/*",
			"https://foo.example.com/a/b": "*.example.com/*",
			"https://b.a.example.com/a/b": "*.a.example.com/*",
			"https://a.example.com/a/b":   "*.example.com/*",
			"https://example.com/a/b":     "*example.com/*",
			"https://myexample.com/a/b":   "*example.com/*",
			"https://example.org/a/b":     "*/*",
		}},
		{"most specific path", []string{"example.com/*", "example.com/a*", "example.com/a/*", "example.com/a/b", "example.com/a/b*"}, map[string]string{
			"https://example.com/":      "example.com/*",
			"https://example.com/b":     "example.com/*",
			"https://example.com/a":     "example.com/a*",
			"https://example.com/aa":    "example.com/a*",
			"https://example.com/a?b":   "example.com/a*",
			"https://example.com/a/":    "example.com/a/*",
			"https://example.com/a/c":   "example.com/a/*",
			"https://example.com/a/b":   "example.com/a/b",
			"https://example.com/a/b?":  "example.com/a/b*",
			"https://example.com/a/b/c": "example.com/a/b*",
		}},
		{"host before path before scheme", []string{"www.example.com/*", "*.example.com/a/b/c", "https://example.com/*", "example.com/a*", "example.com/*"}, map[string]string{
			"https://www.example.com/a/b/c": "www.example.com/*",
			"https://foo.example.com/a/b/c": "*.example.com/a/b/c",
			"https://example.com/a":         "example.com/a*",
			"https://example.com/b":         "https://example.com/*",
			"http://example.com/b":          "example.com/*",
		}},
		{"a less specific host when the path differs", []string{"www.example.com/a", "*.example.com/*", "*example.com/b"}, map[string]string{
			"https://www.example.com/a": "www.example.com/a",
			"https://www.example.com/b": "*.example.com/*",
			"https://example.com/b":     "*example.com/b",
			"https://example.com/c":     nothing,
		}},
		{"negation", []string{"*.example.com/*", "!www.example.com/private*", "www.example.com/private/open*", "!https://a.example.com/*"}, map[string]string{
			"https://www.example.com/":             "*.example.com/*",
			"https://www.example.com/private":      nothing,
			"https://www.example.com/private/a":    nothing,
			"https://www.example.com/private/open": "www.example.com/private/open*",
			"https://a.example.com/":               nothing,
			"http://a.example.com/":                "*.example.com/*",
		}},
		{"no routes", nil, map[string]string{"https://example.com/": nothing}},
		{"no route matches", []string{"example.com/a", "*.example.org/*"}, map[string]string{
			"https://example.net/": nothing,
			"https://example.org/": nothing,
			"https://zzz/":         nothing,
			"https://0/":           nothing,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := mustTable(t, tt.patterns...)
			for url, want := range tt.want {
				if got := lookup(t, table, url); got != want {
					t.Errorf("%s: got %q, want %q", url, got, want)
				}
			}
		})
	}
}

func TestLookupHost(t *testing.T) {
	long := strings.Repeat("a", 254)
	table := mustTable(t, "hello.localhost/*", "127.0.0.1/*", "*.example.com/*")
	tests := []struct{ host, want string }{
		{"hello.localhost", "hello.localhost/*"},
		{"hello.localhost:8787", "hello.localhost/*"},
		{"hello.localhost:", "hello.localhost/*"},
		{"hello.localhost.", "hello.localhost/*"},
		{"hello.localhost.:8787", "hello.localhost/*"},
		{"HELLO.LocalHost:80", "hello.localhost/*"},
		{"hello.localhost..", ""},
		{"hello.localhost:80a", ""},
		{"hello.localhost:80:80", ""},
		{"127.0.0.1:80", "127.0.0.1/*"},
		{"[::1]:80", ""},
		{"[::1]", ""},
		{"", ""},
		{":80", ""},
		{".", ""},
		{long + ".example.com", ""},
		{long[:200] + ".example.com", "*.example.com/*"},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			host := []byte(tt.host)
			got, _ := table.Lookup([]byte("http"), host, []byte("/"))
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if string(host) != tt.host {
				t.Errorf("the host was changed to %q", host)
			}
		})
	}
}

func TestNewTableErrors(t *testing.T) {
	_, err := router.NewTable([]router.Route[int]{
		{Pattern: mustPattern(t, "example.com/*")},
		{Pattern: mustPattern(t, "*example.com/a"), Target: 1},
		{Pattern: mustPattern(t, "EXAMPLE.com/*"), Negate: true},
		{},
		{Pattern: mustPattern(t, "https://example.com/*")},
		{Pattern: mustPattern(t, "*example.com/a"), Target: 1},
	})
	want := "route \"example.com/*\" is given twice\nroute number 4 has no pattern\nroute \"*example.com/a\" is given twice"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNegateHidesTarget(t *testing.T) {
	table, err := router.NewTable([]router.Route[int]{{Pattern: mustPattern(t, "*/*"), Target: 7, Negate: true}})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := table.Lookup([]byte("http"), []byte("a"), []byte("/")); got != 0 || ok {
		t.Errorf("got %d %v, want 0 false", got, ok)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := mustTable(t, "hello.localhost/*", "*.example.com/a/*", "*/b*", "example.com/")
	scheme, missing := []byte("https"), []byte("/nothing/here")
	urls := [][2][]byte{
		{[]byte("Hello.localhost:8787"), []byte("/a?b=c")},
		{[]byte("www.example.com"), []byte("/a/b")},
		{[]byte("www.example.org."), []byte("/b")},
		{[]byte("example.com"), nil},
		{[]byte("www.example.com"), missing},
		{[]byte(strings.Repeat("a", 300)), missing},
	}
	for _, u := range urls {
		if n := testing.AllocsPerRun(100, func() { table.Lookup(scheme, u[0], u[1]) }); n != 0 {
			t.Errorf("%s%s: got %v allocations, want 0", u[0], u[1], n)
		}
	}
}

func ExampleTable() {
	api, _ := router.ParsePattern("example.com/api/*")
	site, _ := router.ParsePattern("*example.com/*")
	table, err := router.NewTable([]router.Route[string]{
		{Pattern: site, Target: "site"},
		{Pattern: api, Target: "api"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/api/users?page=2", "/about"} {
		function, _ := table.Lookup([]byte("https"), []byte("example.com"), []byte(path))
		fmt.Println(path, function)
	}
	// Output:
	// /api/users?page=2 api
	// /about site
}
