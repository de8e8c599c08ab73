package trigger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Requests that HTTP forbids, or that another server on the way may read
// differently, get an error and never reach a Function. 0 means that the
// connection was closed without an answer.
func TestRawRequests(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello"), "body": bodyGuest()})
	const hostLine = "Host: hello.localhost\r\n"
	tests := []struct {
		name, request string
		want          int
	}{
		{"plain", "GET / HTTP/1.1\r\n" + hostLine + "\r\n", 200},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n" + hostLine + "\r\n", 200},
		{"absolute URL", "GET http://hello.localhost/ HTTP/1.1\r\n" + hostLine + "\r\n", 200},
		{"absolute URL without path", "GET http://hello.localhost HTTP/1.1\r\n" + hostLine + "\r\n", 200},
		{"port in Host", "GET / HTTP/1.1\r\nHost: hello.localhost:8787\r\n\r\n", 200},
		{"trailing dot in Host", "GET / HTTP/1.1\r\nHost: hello.localhost.\r\n\r\n", 200},
		{"capitals in Host", "GET / HTTP/1.1\r\nHost: HELLO.LocalHost\r\n\r\n", 200},
		{"empty line first", "\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 200},
		{"chunked", "POST / HTTP/1.1\r\nHost: body.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200},
		{"Expect continue", "POST / HTTP/1.1\r\nHost: body.localhost\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", 100},

		{"unknown host", "GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n", 404},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\n" + hostLine + "Host: other.localhost\r\n\r\n", 400},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"user in Host", "GET / HTTP/1.1\r\nHost: user@hello.localhost\r\n\r\n", 400},
		{"path in Host", "GET / HTTP/1.1\r\nHost: hello.localhost/x\r\n\r\n", 400},
		{"space in Host", "GET / HTTP/1.1\r\nHost: hello.localhost x\r\n\r\n", 400},
		{"bad port in Host", "GET / HTTP/1.1\r\nHost: hello.localhost:80a\r\n\r\n", 400},
		{"absolute URL of another host", "GET http://other.localhost/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute URL with user", "GET http://a@hello.localhost/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute URL of another scheme", "GET ftp://hello.localhost/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"fragment", "GET /a#b HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"asterisk", "OPTIONS * HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"CONNECT", "CONNECT hello.localhost:80 HTTP/1.1\r\n" + hostLine + "\r\n", 405},
		{"TRACE", "TRACE / HTTP/1.1\r\n" + hostLine + "\r\n", 405},
		{"small letters in method", "get / HTTP/1.1\r\n" + hostLine + "\r\n", 501},
		{"HTTP/0.9", "GET /\r\n\r\n", 400},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + hostLine + "\r\n", 505},
		{"HTTP/2.0", "GET / HTTP/2.0\r\n" + hostLine + "\r\n", 505},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"control character in target", "GET /\x01 HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"folded field", "GET / HTTP/1.1\r\n" + hostLine + "X: a\r\n b\r\n\r\n", 400},
		{"folded with tab", "GET / HTTP/1.1\r\n" + hostLine + "X: a\r\n\tb\r\n\r\n", 400},
		{"space before colon", "GET / HTTP/1.1\r\n" + hostLine + "X : a\r\n\r\n", 400},
		{"no field name", "GET / HTTP/1.1\r\n" + hostLine + ": a\r\n\r\n", 400},
		{"NUL in field", "GET / HTTP/1.1\r\n" + hostLine + "X: a\x00b\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"same length twice", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
		{"negative length", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: -1\r\n\r\n", 400},
		{"length with plus", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: +1\r\n\r\na", 400},
		{"length list", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 1, 1\r\n\r\na", 400},
		{"length and chunked", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunked and length", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
		{"transfer encoding identity", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: identity\r\n\r\n", 501},
		{"transfer encoding gzip", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
		{"transfer encoding twice", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"transfer encoding in HTTP/1.0", "POST / HTTP/1.0\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"bad chunk size", "POST / HTTP/1.1\r\nHost: body.localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 418},
		{"cut chunk", "POST / HTTP/1.1\r\nHost: body.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 418},
		{"unknown expectation", "POST / HTTP/1.1\r\n" + hostLine + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417},
		{"body announced too large", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 20000000\r\n\r\n" + strings.Repeat("a", 16<<10), 413},
		{"body too large, asked first", "POST / HTTP/1.1\r\n" + hostLine + "Expect: 100-continue\r\nContent-Length: 200000000\r\n\r\n", 413},
		{"URL too long", "GET /" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\n" + hostLine + "\r\n", 414},
		{"header too large", "GET / HTTP/1.1\r\n" + hostLine + "X: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", 431},
		{"too many fields", "GET / HTTP/1.1\r\n" + hostLine + strings.Repeat("X: a\r\n", 300) + "\r\n", 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.raw(tt.request); got != tt.want {
				t.Errorf("%.120q: status %d, want %d", tt.request, got, tt.want)
			}
		})
	}
	if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
		t.Errorf("afterwards: %d %q", status, body)
	}
}

// A header that ends in bare line feeds never ends at all.
func TestUnfinishedHeader(t *testing.T) {
	s := start(t, host.Limits{}, nil, func(c *trigger.HTTPConfig) { c.HeaderTimeout = 100 * time.Millisecond })
	for _, request := range []string{"GET / HTTP/1.1\nHost: hello.localhost\n\n", "GET / HTTP/1.1\r\nHost:", "G"} {
		if got := s.raw(request); got != 408 {
			t.Errorf("%q: status %d, want 408", request, got)
		}
	}
}
