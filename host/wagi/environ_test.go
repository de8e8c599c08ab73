package wagi_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/wagi"
)

// environ is the environment of a program that answers req.
func environ(req host.Request, env map[string]host.EnvValue) []string {
	c := &host.Call{ID: "r1", Request: req, Bindings: &host.Bindings{Function: "shop", Env: env}}
	wagi.New().Enter(c)
	return c.Env
}

func TestEnviron(t *testing.T) {
	req := hosttest.Request("POST", "https://fn.example.com/a%20b/c?q=%20+x", "12345",
		"host", "fn.example.com", "content-type", "text/plain", "content-length", "5",
		"accept", "a", "x-one", "1", "cookie", "a=1", "accept", "b", "cookie", "b=2",
		"authorization", "Basic eA==", "proxy", "http://evil.example.com", "connection", "close",
		"x_one", "2", "transfer-encoding", "chunked", "x!", "3")
	req.Client = netip.MustParseAddr("::ffff:192.0.2.1")
	got := environ(req, map[string]host.EnvValue{
		"NAME": {Value: "shop"}, "PATH_INFO": {Value: "/hijacked"}, "SECRET": {Value: "s=1", Secret: true},
		"REMOTE_USER": {Value: "root"}, "HTTP_ACCEPT": {Value: "z"}, "BAD=NAME": {Value: "x"}, "NUL": {Value: "a\x00b"}, "": {Value: "x"},
	})
	want := []string{
		"GATEWAY_INTERFACE=CGI/1.1", "SERVER_SOFTWARE=mayfly", "SERVER_PROTOCOL=HTTP/1.1",
		"SERVER_NAME=fn.example.com", "SERVER_PORT=443", "REQUEST_METHOD=POST", "REQUEST_SCHEME=https",
		"REQUEST_URI=/a%20b/c?q=%20+x", "SCRIPT_NAME=", "PATH_INFO=/a b/c", "QUERY_STRING=q=%20+x",
		"HTTP_HOST=fn.example.com", "X_REQUEST_ID=r1", "HTTPS=on", "REMOTE_ADDR=192.0.2.1",
		"CONTENT_TYPE=text/plain", "CONTENT_LENGTH=5", "HTTP_ACCEPT=a, b", "HTTP_X_ONE=1",
		"HTTP_COOKIE=a=1; b=2", "HTTP_AUTHORIZATION=Basic eA==", "NAME=shop", "SECRET=s=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestURL(t *testing.T) {
	for _, c := range []struct{ url, name, port, uri, path, query string }{
		{"http://localhost/", "localhost", "80", "/", "/", ""},
		{"http://localhost", "localhost", "80", "/", "/", ""},
		{"http://localhost?a=/b", "localhost", "80", "/?a=/b", "/", "a=/b"},
		{"http://localhost:8787/a?b?c", "localhost", "8787", "/a?b?c", "/a", "b?c"},
		{"https://[2001:db8::1]/a", "[2001:db8::1]", "443", "/a", "/a", ""},
		{"https://[2001:db8::1]:81/a", "[2001:db8::1]", "81", "/a", "/a", ""},
		{"https://example.com//a//", "example.com", "443", "//a//", "//a//", ""},
		{"https://example.com/%41%c3%a9%2F%2f%25", "example.com", "443", "/%41%c3%a9%2F%2f%25", "/Aé//%", ""},
		{"https://example.com/a%00b%zz%4", "example.com", "443", "/a%00b%zz%4", "/a%00b%zz%4", ""},
		{"https://example.com/%%341", "example.com", "443", "/%%341", "/%41", ""},
	} {
		env := environ(hosttest.Request("GET", c.url, ""), nil)
		for _, want := range []string{"SERVER_NAME=" + c.name, "SERVER_PORT=" + c.port,
			"REQUEST_URI=" + c.uri, "PATH_INFO=" + c.path, "QUERY_STRING=" + c.query} {
			if !slices.Contains(env, want) {
				t.Errorf("%s: %q is missing in %q", c.url, want, env)
			}
		}
	}
}

func TestContentLength(t *testing.T) {
	for _, c := range []struct {
		name, body, length string
		want               bool
	}{
		{"known", "abc", "3", true},
		{"no body", "", "0", false},
		{"nonsense", "abc", "+3", false},
		{"empty", "abc", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := environ(hosttest.Request("POST", "http://localhost/", c.body, "content-length", c.length), nil)
			if got := slices.Contains(env, "CONTENT_LENGTH="+c.length); got != c.want {
				t.Errorf("CONTENT_LENGTH there: %v, want %v", got, c.want)
			}
			if slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "HTTP_CONTENT") }) {
				t.Errorf("it is there as a header too: %q", env)
			}
		})
	}
}

// Whatever the request, a program's environment is well formed.
func FuzzEnviron(f *testing.F) {
	f.Add("http://localhost/", "accept", "*/*")
	f.Add("https://[::1]:1/%00%41?%00", "Proxy", "x")
	f.Add("://", "content-length", "9")
	f.Fuzz(func(t *testing.T, url, name, value string) {
		req := hosttest.Request("GET", url, "x", name, value)
		if strings.Contains(url, "\x00") || req.Headers.Check() != nil {
			return // the front end lets neither through
		}
		names := make(map[string]bool)
		for _, v := range environ(req, nil) {
			name, _, ok := strings.Cut(v, "=")
			if !ok || name == "" || names[name] || strings.Contains(v, "\x00") {
				t.Errorf("%q", v)
			}
			names[name] = true
		}
		if names["HTTP_PROXY"] {
			t.Error("HTTP_PROXY is set")
		}
	})
}
