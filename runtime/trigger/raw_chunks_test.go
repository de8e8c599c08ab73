package trigger_test

import (
	"fmt"
	"strings"
	"testing"
)

// Chunked bodies (RFC 9112, section 7.1). A guest that reads a broken one is told
// so and answers 418 here; the connection ends with it in any case.
func TestRawChunks(t *testing.T) {
	s := startRaw(t)
	const unread = get + "Transfer-Encoding: chunked\r\n\r\n" // to a guest that does not read
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)
	s.run(t, []rawCase{
		{"two chunks", chunked + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "200:abcde open POST body/"},
		{"capitals in size", chunked + "A\r\n0123456789\r\n0\r\n\r\n", "200:0123456789 open POST body/"},
		{"zeros before size", chunked + "003\r\nabc\r\n000\r\n\r\n", "200:abc open POST body/"},
		{"extension", chunked + "3;a=b\r\nabc\r\n0;c\r\n\r\n", "200:abc open POST body/"},
		{"quoted extension", chunked + "3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n", "200:abc open POST body/"},
		{"long extension", chunked + "3;a=" + strings.Repeat("x", 10_000) + "\r\nabc\r\n0\r\n\r\n", "200:abc open POST body/"},
		{"request in a chunk", chunked + chunk, "200:" + smuggled + " open POST body/"},
		{"request in a chunk that nobody reads", unread + chunk, "200 open GET hello/"},
		{"request behind the last chunk", chunked + "0\r\n\r\n" + smuggled, "200 200 open POST body/ GET hello/smuggled"},

		{"no size", chunked + "\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size of other letters", chunked + "xyz\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size with 0x", chunked + "0x3\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"negative size", chunked + "-3\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size with plus", chunked + "+3\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"space before size", chunked + " 3\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size with comma", chunked + "3,3\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size with underscore", chunked + "0_3\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"NUL behind size", chunked + "3\x00\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size of 2^64+3", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size of 2^63", chunked + "8000000000000000\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"size of 40 digits", chunked + strings.Repeat("f", 40) + "\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"line feed behind size", chunked + "3\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"CR behind size", chunked + "3\rabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"two CR behind size", chunked + "3\r\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"line feed in extension", chunked + "3;a\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"line feed in quoted extension", chunked + "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"CR in extension", chunked + "3;a\rb\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"CR LF in quoted extension", chunked + "3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"space before extension", chunked + "3 ;a\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"chunk shorter than its size", chunked + "4\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"chunk longer than its size", chunked + "2\r\nabc\r\n0\r\n\r\n", "418 closed POST body/"},
		{"no CR LF behind chunk", chunked + "3\r\nabc0\r\n\r\n", "418 closed POST body/"},
		{"line feed behind chunk", chunked + "3\r\nabc\n0\r\n\r\n", "418 closed POST body/"},
		{"CR behind chunk", chunked + "3\r\nabc\r0\r\n\r\n", "418 closed POST body/"},
		{"request instead of a chunk", chunked + smuggled, "418 closed POST body/"},
		{"broken and unread", unread + "xyz\r\n" + smuggled, "200 closed GET hello/"},
		{"cut and unread", unread + "3\r\nabcdef\r\n0\r\n\r\n" + smuggled, "200 closed GET hello/"},
		{"line feeds behind the last chunk", chunked + "0\n\n", "418 closed POST body/"},

		// No guest sees trailers, so fasthttp may be lenient with their form.
		{"trailer", chunked + "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "200:abc open POST body/"},
		{"announced trailer", post + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "200:abc open POST body/"},
		{"length in trailer", chunked + "0\r\nContent-Length: 60\r\n\r\n" + smuggled, "418 closed POST body/"},
		{"encoding in trailer", chunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n", "418 closed POST body/"},
		{"Host in trailer", chunked + "0\r\nHost: hello.localhost\r\n\r\n", "418 closed POST body/"},
		{"Authorization in trailer", chunked + "0\r\nAuthorization: x\r\n\r\n", "418 closed POST body/"},
		{"forbidden trailer announced", post + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed"},
		{"space in trailer's name", chunked + "0\r\nX : 1\r\n\r\n", "200 open POST body/"},
		{"trailer without name", chunked + "0\r\n: 1\r\n\r\n", "418 closed POST body/"},
		{"trailer without colon", chunked + "0\r\nGET / HTTP/1.1\r\n\r\n", "418 closed POST body/"},
		{"folded trailer", chunked + "0\r\nX: 1\r\n 2\r\n\r\n", "200 open POST body/"},
		{"NUL in trailer", chunked + "0\r\nX: a\x00\r\n\r\n", "418 closed POST body/"},
		{"CR in trailer", chunked + "0\r\nX: a\rb\r\n\r\n", "418 closed POST body/"},
		{"huge trailer", chunked + "0\r\nX: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", "418 closed POST body/"},
		{"many trailers", chunked + "0\r\n" + strings.Repeat("X: a\r\n", 300) + "\r\n", "200 open POST body/"},
	})
}
