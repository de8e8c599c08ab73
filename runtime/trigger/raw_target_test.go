package trigger_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// Targets that are none are refused (RFC 9112, section 3.2; RFC 3986, section 2);
// others reach the guest as they are.
func TestRawTarget(t *testing.T) {
	s := startRaw(t)
	target := func(text string) string { return "GET " + text + " HTTP/1.1\r\n" + hostLine + end }
	s.run(t, []rawCase{
		{"query", target("/?a=b&c"), "200 open GET hello/?a=b&c"},
		{"question marks", target("/??"), "200 open GET hello/??"},
		{"dots", target("/a/../b/./c"), "200 open GET hello/a/../b/./c"},
		{"encoded dots", target("/a/%2e%2E/b"), "200 open GET hello/a/%2e%2E/b"},
		{"encoded slash", target("/a%2Fb"), "200 open GET hello/a%2Fb"},
		{"encoded twice", target("/%252e%252e/"), "200 open GET hello/%252e%252e/"},
		{"encoded NUL", target("/a%00b"), "200 open GET hello/a%00b"},
		{"encoded CR LF", target("/a%0d%0aX:b"), "200 open GET hello/a%0d%0aX:b"},
		{"encoded bytes that are not UTF-8", target("/%ff%fe"), "200 open GET hello/%ff%fe"},
		{"slashes", target("///a//"), "200 open GET hello///a//"},
		{"path parameter", target("/a;b=c/..;/d"), "200 open GET hello/a;b=c/..;/d"},
		{"what browsers leave in queries", target("/?{|}^`\\'[]%zz%"), "200 open GET hello/?{|}^`\\'[]%zz%"},
		{"URL in query", target("/?u=http://other.localhost/"), "200 open GET hello/?u=http://other.localhost/"},
		{"16 KiB", target("/" + strings.Repeat("a", 16<<10-1)), "200 open GET hello/" + strings.Repeat("a", 16<<10-1)},
		{"16 KiB and a byte", target("/" + strings.Repeat("a", 16<<10)), "414 closed"},
		{"16 KiB and a byte of query", target("/?" + strings.Repeat("a", 16<<10-1)), "414 closed"},

		{"empty", target(""), "400 closed"},
		{"relative", target("a"), "400 closed"},
		{"question mark alone", target("?a"), "400 closed"},
		{"fragment", target("/a#b"), "400 closed"},
		{"asterisk", "OPTIONS * HTTP/1.1\r\n" + hostLine + end, "400 closed"},
		{"asterisk with GET", target("*"), "400 closed"},
		{"space", target("/a b"), "400 closed"},
		{"tab", target("/a\tb"), "400 closed"},
		{"control character", target("/\x01"), "400 closed"},
		{"NUL", target("/a\x00b"), "400 closed"},
		{"DEL", target("/a\x7f"), "400 closed"},
		{"CR", target("/a\rb"), "400 closed"},
		{"vertical tab", target("/a\x0bb"), "400 closed"},
		{"beyond ASCII", target("/b\xc3\xbccher"), "400 closed"},
		{"beyond ASCII in query", target("/?b\xc3\xbccher"), "400 closed"},
		{"not UTF-8", target("/\xff"), "400 closed"},
		{"overlong slash", target("/..\xc0\xaf"), "400 closed"},
		{"quotation mark", target("/a\"b"), "400 closed"},
		{"angle brackets", target("/<script>"), "400 closed"},
		{"angle brackets in query", target("/?<script>"), "400 closed"},
		{"backslash", target("/a\\..\\b"), "400 closed"},
		{"percent alone", target("/%"), "400 closed"},
		{"percent with one digit", target("/%4"), "400 closed"},
		{"percent with no digits", target("/%zz"), "400 closed"},
		{"percent before the query", target("/%4?1"), "400 closed"},
		{"percent and u", target("/%u002e"), "400 closed"},
	})
}

// Nothing in a path that somebody might decode or tidy up changes which Function
// a route chooses: it is what stands there, byte by byte.
func TestRawTargetKeepsRoute(t *testing.T) {
	s := startRaw(t)
	route := func(text string) deploy.Route { return deploy.Route{Pattern: must(router.ParsePattern(text))(t)} }
	for name, routes := range map[string][]deploy.Route{
		"public":  {route("site.test/*")},
		"private": {route("site.test/admin"), route("site.test/admin/*")},
	} {
		must(s.registry.Deploy(t.Context(), "local", name, deploy.Upload{Module: helloGuest(name), Routes: routes}))(t)
	}
	for _, tt := range []struct {
		path string
		want string
	}{
		{"/admin", "private"}, {"/admin/", "private"}, {"/admin/x", "private"}, {"/admin/../x", "private"},
		{"/admin/%2e%2e/x", "private"}, {"/admin/..%2fx", "private"}, {"/admin/x?/../", "private"},
		{"/x/../admin", "public"}, {"/x/%2e%2e/admin", "public"}, {"/./admin", "public"}, {"//admin", "public"}, {"/%2fadmin", "public"},
		{"/%61dmin", "public"}, {"/%2561dmin", "public"}, {"/ADMIN", "public"}, {"/admin%00", "public"}, {"/admin%2f", "public"},
		{"/admin;/", "public"}, {"/x/..;/admin", "public"}, {"/;/admin", "public"}, {"/admin.", "public"}, {"/admin%20", "public"},
		{"/x?/admin", "public"}, {"/?/admin/", "public"}, {"/%3f/admin", "public"}, {"/x%23/../admin", "public"},
	} {
		for _, form := range []string{tt.path, "http://site.test" + tt.path} {
			c := s.dial()
			c.write("GET " + form + " HTTP/1.1\r\nHost: site.test\r\n\r\n")
			got, err := c.answer(false)
			if err != nil {
				t.Fatal(err)
			}
			if want := "200:" + tt.want; got != want {
				t.Errorf("%s: got %s, want %s", form, got, want)
			}
			c.Close()
		}
	}
}
