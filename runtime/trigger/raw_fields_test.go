package trigger_test

import (
	"strings"
	"testing"
)

// Header fields (RFC 9112, section 5; RFC 9110, sections 5.1 and 5.5).
func TestRawFields(t *testing.T) {
	s := startRaw(t)
	field := func(line string) string { return get + line + end + end }
	// What the first line and Host take from 32 KiB, with the name and the ends.
	room := 32<<10 - len(get) - len("X: \r\n\r\n")
	s.run(t, []rawCase{
		{"token of all kinds", field("!#$%&'*+-.^_`|~9aZ: x"), "200 open GET hello/"},
		{"empty value", field("X:"), "200 open GET hello/"},
		{"blank value", field("X: \t "), "200 open GET hello/"},
		{"tab in value", field("X: a\tb"), "200 open GET hello/"},
		{"colons in value", field("X: a:b::c"), "200 open GET hello/"},
		{"bytes beyond ASCII in value", field("X: \xc3\xa9\xff"), "200 open GET hello/"},
		{"many of one name", field(strings.TrimSuffix(strings.Repeat("X: a\r\n", 200), end)), "200 open GET hello/"},
		{"256 fields", get + strings.Repeat("X: a\r\n", 255) + end, "200 open GET hello/"},
		{"32 KiB", field("X: " + strings.Repeat("a", room-1)), "200 open GET hello/"},

		{"257 fields", get + strings.Repeat("X: a\r\n", 256) + end, "431 closed"},
		{"3,000 fields", get + strings.Repeat("X: a\r\n", 3000) + end, "431 closed"},
		{"more than 32 KiB", field("X: " + strings.Repeat("a", room+100)), "431 closed"},
		{"40 KiB in one name", field(strings.Repeat("a", 40<<10) + ": x"), "431 closed"},
		{"40 KiB of empty lines", strings.Repeat(end, 20<<10) + get + end, "closed"},
		{"1 MiB", field("X: " + strings.Repeat("a", 1<<20)), "431 closed"},

		{"no name", field(": a"), "400 closed"},
		{"no colon", field("X"), "400 closed"},
		{"request line as field", field("GET /smuggled HTTP/1.1"), "400 closed"},
		{"space before colon", field("X : a"), "400 closed"},
		{"tab before colon", field("X\t: a"), "400 closed"},
		{"space in name", field("X A: b"), "400 closed"},
		{"space before name", field(" X: b"), "400 closed"},
		{"folded", field("X: a\r\n b"), "400 closed"},
		{"folded with tab", field("X: a\r\n\tb"), "400 closed"},
		{"folded and empty", field("X: a\r\n "), "400 closed"},
		{"first line folded", "GET / HTTP/1.1\r\n X: a\r\n" + hostLine + end, "400 closed"},
		{"first line folded with tab", "GET / HTTP/1.1\r\n\t" + hostLine + end, "400 closed"},
		{"parenthesis in name", field("X(: a"), "400 closed"},
		{"slash in name", field("X/Y: a"), "400 closed"},
		{"at sign in name", field("X@Y: a"), "400 closed"},
		{"quoted name", field("\"X\": a"), "400 closed"},
		{"equals sign in name", field("X=Y: a"), "400 closed"},
		{"brackets in name", field("X[0]: a"), "400 closed"},
		{"name beyond ASCII", field("\xc3\xa9: a"), "400 closed"},
		{"NUL in name", field("X\x00Y: a"), "400 closed"},
		{"DEL in name", field("X\x7f: a"), "400 closed"},
		{"CR in name", field("X\rY: a"), "400 closed"},
		{"pseudo field", field(":path: /smuggled"), "400 closed"},
		{"NUL in value", field("X: a\x00b"), "400 closed"},
		{"escape in value", field("X: a\x1bb"), "400 closed"},
		{"DEL in value", field("X: a\x7fb"), "400 closed"},
		{"vertical tab in value", field("X: a\x0bb"), "400 closed"},
		{"CR in value", field("X: a\rY: b"), "400 closed"},
		{"CR at the end of value", field("X: a\r"), "400 closed"},
		{"line feed alone", field("X: a\nY: b"), "400 closed"},
		{"line feed behind Host", "GET / HTTP/1.1\r\nHost: hello.localhost\nX: a\r\n\r\n", "400 closed"},
		{"empty line of a line feed", get + "\n" + smuggled, "400 closed"},
		{"empty line of a line feed, then a request", get + "X: a\r\n\n" + smuggled, "400 closed"},
		{"CR and empty line", get + "\r\r\n" + smuggled, "400 closed"},

		{"Connection: close", field("Connection: close"), "200 closed GET hello/"},
		{"Connection: CLOSE", field("Connection: CLOSE"), "200 closed GET hello/"},
		{"close in a list", field("Connection: x, close"), "200 closed GET hello/"},
		{"close in the second field", field("Connection: keep-alive\r\nConnection: close"), "200 closed GET hello/"},
		{"keep-alive", field("Connection: keep-alive"), "200 open GET hello/"},
		{"keep-alive in HTTP/1.0", "GET / HTTP/1.0\r\n" + hostLine + "Connection: keep-alive\r\n\r\n", "200 open GET hello/"},
		{"close in HTTP/1.0", "GET / HTTP/1.0\r\n" + hostLine + "Connection: close\r\n\r\n", "200 closed GET hello/"},
		{"Keep-Alive", field("Keep-Alive: timeout=99999999, max=99999999"), "200 open GET hello/"},
		{"other field in Connection", field("Connection: x-other\r\nX-Other: a"), "200 open GET hello/"},
		{"Content-Length in Connection", post + "Connection: content-length\r\nContent-Length: 3\r\n\r\nabc", "400 closed"},
		{"Content-Length in Connection, later", post + "Content-Length: 3\r\nConnection: close, Content-Length\r\n\r\nabc", "400 closed"},
		{"Transfer-Encoding in Connection", post + "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed"},
		{"Host in Connection", field("Connection: Host"), "400 closed"},
		{"Authorization in Connection", field("Connection: close,authorization"), "400 closed"},
		{"Cookie in Connection", field("Connection: cookie , close"), "400 closed"},
		{"X-Forwarded-For in Connection", field("Connection: close, X-Forwarded-For"), "400 closed"},
		{"CDN-Loop in Connection", field("Connection: CDN-Loop"), "400 closed"},
		{"upgrade to WebSocket", field("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "200 open GET hello/"},
		{"upgrade to h2c", field("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"), "200 open GET hello/"},
		{"upgrade to TLS", field("Connection: Upgrade\r\nUpgrade: TLS/1.2"), "200 open GET hello/"},
		{"TE", field("Connection: TE\r\nTE: trailers, deflate;q=0.5"), "200 open GET hello/"},
		{"Proxy-Connection", field("Proxy-Connection: keep-alive"), "200 open GET hello/"},
		{"Range of nonsense", field("Range: bytes=-1-,9999999999999999999999-0"), "200 open GET hello/"},
		{"Max-Forwards", field("Max-Forwards: -1"), "200 open GET hello/"},
		{"method override", field("X-HTTP-Method-Override: DELETE"), "200 open GET hello/"},
		{"URL override", field("X-Original-URL: /smuggled\r\nX-Rewrite-URL: /smuggled"), "200 open GET hello/"},
	})
}
