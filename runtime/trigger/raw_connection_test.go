package trigger_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// Expectations (RFC 9110, section 10.1.1), bodies that are too large, and several
// requests on a connection (RFC 9112, section 9.3).
func TestRawConnection(t *testing.T) {
	s := startRaw(t)
	expect := func(fields, body string) string { return post + fields + end + end + body }
	s.run(t, []rawCase{
		{"100-continue", expect("Expect: 100-continue\r\nContent-Length: 3", "abc"), "100 200:abc open POST body/"},
		{"capitals", expect("Expect: 100-CONTINUE\r\nContent-Length: 3", "abc"), "100 200:abc open POST body/"},
		{"without a body", expect("Expect: 100-continue", ""), "100 200 open POST body/"},
		{"with chunks", expect("Expect: 100-continue\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), "100 200:abc open POST body/"},
		{"of a guest that does not read", get + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "100 200 open GET hello/"},
		{"in HTTP/1.0", "POST / HTTP/1.0\r\nHost: body.localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "200:abc closed POST body/"},
		{"unknown", expect("Expect: 200-ok\r\nContent-Length: 1", "a"), "417 closed"},
		{"unknown, without a body", expect("Expect: x", ""), "417 closed"},
		{"empty", expect("Expect:\r\nContent-Length: 1", "a"), "417 closed"},
		{"list", expect("Expect: 100-continue, x\r\nContent-Length: 1", "a"), "417 closed"},
		{"second one unknown", expect("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1", "a"), "417 closed"},
		{"parameter", expect("Expect: 100-continue;a=b\r\nContent-Length: 1", "a"), "417 closed"},
		{"with both framings", expect("Expect: 100-continue\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "400 closed"},
		{"with a request behind that was not asked for", get + "Expect: x\r\nContent-Length: 60\r\n\r\n" + smuggled, "417 closed"},
		{"with a bad Host", "POST / HTTP/1.1\r\nHost: a@b\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", "400 closed"},

		{"too large for the Function", expect("Content-Length: 20000000", ""), "413 closed"},
		{"too large for the Function, with some of it", expect("Content-Length: 20000000", strings.Repeat("a", 16<<10)), "413 closed"},
		{"too large for the node", expect("Content-Length: 200000000", ""), "413 closed"},
		{"too large for the node, asked first", expect("Expect: 100-continue\r\nContent-Length: 200000000", ""), "413 closed"},
		{"too large for the Function, asked first", expect("Expect: 100-continue\r\nContent-Length: 20000000", ""), "413 closed"},
		{"2^63-1", expect("Content-Length: 9223372036854775807", ""), "413 closed"},
		{"too large with GET", get + "Content-Length: 20000000\r\n\r\n" + smuggled, "413 closed"},
		{"too large with a bad Host", "POST / HTTP/1.1\r\nHost: a@b\r\nContent-Length: 20000000\r\n\r\n", "400 closed"},
		{"too large with an absolute URL", "POST http://hello.localhost/ HTTP/1.1\r\n" + hostLine + "Content-Length: 20000000\r\n\r\n", "413 closed"},
		{"large, in HTTP/1.0", "POST / HTTP/1.0\r\n" + hostLine + "Content-Length: 20000000\r\n\r\n", "413 closed"},

		{"two requests", get + end + "GET /2 HTTP/1.1\r\n" + hostLine + end, "200 200 open GET hello/ GET hello/2"},
		{"empty lines between", get + end + "\r\n\r\n" + get + end, "200 200 open GET hello/ GET hello/"},
		{"body and request", post + "Content-Length: 3\r\n\r\nabc" + get + end, "200:abc 200 open POST body/ GET hello/"},
		{"bytes too many", post + "Content-Length: 3\r\n\r\nabcX" + get + end, "200:abc 200 open POST body/ XGET hello/"},
		{"bad one second", get + end + "GET / HTTP/1.1\r\n\r\n", "200 400 closed GET hello/"},
		{"bad one first", "GET / HTTP/1.1\r\n\r\n" + get + end, "400 closed"},
		{"behind a close", get + "Connection: close\r\n\r\n" + smuggled, "200 closed GET hello/"},
		{"behind HTTP/1.0", "GET / HTTP/1.0\r\n" + hostLine + end + smuggled, "200 closed GET hello/"},
		{"behind an unknown host", "GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n" + get + end, "404 200 open GET hello/"},
		{"behind an upgrade", get + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "200 400 closed GET hello/"},
		{"behind a large body nobody reads", get + fmt.Sprintf("Content-Length: %d\r\n\r\n", 1<<20) + strings.Repeat("a", 1<<20) + smuggled, "200 closed GET hello/"},
	})
}

// Answers come in the order of the requests, however many are sent at once.
func TestPipeline(t *testing.T) {
	const requests = 1000
	s := start(t, host.Limits{}, map[string][]byte{"url": areaGuest("request_url")})
	c := s.dial()
	var all strings.Builder
	for i := range requests {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: url.localhost\r\n\r\n", i)
	}
	go c.Write([]byte(all.String())) //nolint:errcheck // seen by the answers
	for i := range requests {
		got, err := c.answer(false)
		if want := fmt.Sprintf("200:http://url.localhost/%d", i); err != nil || got != want {
			t.Fatalf("answer %d: got %q, %v; want %q", i, got, err, want)
		}
	}
}

// A client that has sent all it wants to say may close its half: it gets its
// answers, unless its guest runs so long that nothing tells it from one that left.
func TestHalfClosed(t *testing.T) {
	s := startRaw(t)
	for _, tt := range []rawCase{
		{"whole", get + end, "200 closed GET hello/"},
		{"two", get + end + get + end, "200 200 closed GET hello/ GET hello/"},
		{"body cut", post + "Content-Length: 5\r\n\r\nabc", "400 closed"},
		{"chunk cut", chunked + "5\r\nabc", "418 closed POST body/"},
		{"no last chunk", chunked + "3\r\nabc\r\n", "418 closed POST body/"},
		{"header cut", get, "400 closed"},
		{"line cut", "GET / HT", "400 closed"},
		{"nothing", "", "closed"},
	} {
		c := s.dial()
		c.write(tt.request)
		c.Conn.(*net.TCPConn).CloseWrite()
		if got := s.read(c, false); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// What never comes is not waited for longer than is allowed.
func TestRawUnfinished(t *testing.T) { patiently(t, testRawUnfinished) }

func testRawUnfinished(t testing.TB, soon time.Duration) {
	s := startRaw(t, impatient(soon))
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for _, tt := range []rawCase{
		{"first byte", "G", "408 closed"},
		{"header", "GET / HTTP/1.1\r\nHost:", "408 closed"},
		{"header that ends in line feeds", "GET / HTTP/1.1\nHost: hello.localhost\n\n", "408 closed"},
		{"second header", get + end + "GET /", "200 408 closed"},
		{"body", post + "Content-Length: 5\r\n\r\nabc", "408 closed"},
		{"long body", post + "Content-Length: 100000\r\n\r\nabc", "408 closed"},
		{"body of an unknown host", "POST / HTTP/1.1\r\nHost: nobody.localhost\r\nContent-Length: 5\r\n\r\nabc", "408 closed"},
		{"chunk", chunked + "5\r\nabc", "418 closed"},
		{"last chunk", chunked + "3\r\nabc\r\n", "418 closed"},
		{"endless chunk extension", chunked + "3;" + strings.Repeat("x", 100_000), "418 closed"},
		{"end of the trailer", chunked + "0\r\nX: a\r\n", "418 closed"},
		{"body that was asked for", post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", "100 408 closed"},
	} {
		c := s.dial()
		waiting.Go(func() {
			c.write(tt.request)
			if got := s.answers(c, false); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
		})
	}
}
