package trigger_test

import (
	"strings"
	"testing"
)

// The first line (RFC 9112, sections 2.2, 2.3 and 3).
func TestRawRequestLine(t *testing.T) {
	s := startRaw(t)
	line := func(text string) string { return text + end + hostLine + end }
	s.run(t, []rawCase{
		{"HTTP/1.1", line("GET / HTTP/1.1"), "200 open GET hello/"},
		{"HTTP/1.0", line("GET / HTTP/1.0"), "200 closed GET hello/"},
		{"HEAD", line("HEAD / HTTP/1.1"), "200 open HEAD hello/"},
		{"PATCH", line("PATCH / HTTP/1.1"), "200 open PATCH hello/"},
		{"OPTIONS", line("OPTIONS /a HTTP/1.1"), "200 open OPTIONS hello/a"},
		{"unknown method", line("PURGE / HTTP/1.1"), "200 open PURGE hello/"},
		{"method of 32 letters", line(strings.Repeat("A", 32) + " / HTTP/1.1"), "200 open " + strings.Repeat("A", 32) + " hello/"},
		{"empty line first", end + line("GET / HTTP/1.1"), "200 open GET hello/"},
		{"empty lines first", strings.Repeat(end, 100) + line("GET / HTTP/1.1"), "200 open GET hello/"},

		{"method of 33 letters", line(strings.Repeat("A", 33) + " / HTTP/1.1"), "501 closed"},
		{"method of 20,000 letters", line(strings.Repeat("A", 20_000) + " / HTTP/1.1"), "501 closed"},
		{"small letters", line("get / HTTP/1.1"), "501 closed"},
		{"one small letter", line("GEt / HTTP/1.1"), "501 closed"},
		{"method with a dash", line("M-SEARCH / HTTP/1.1"), "501 closed"},
		{"method with a digit", line("GET1 / HTTP/1.1"), "501 closed"},
		{"CONNECT", line("CONNECT hello.localhost:80 HTTP/1.1"), "405 closed"},
		{"CONNECT with a path", line("CONNECT / HTTP/1.1"), "405 closed"},
		{"TRACE", line("TRACE / HTTP/1.1"), "405 closed"},
		{"TRACE with a body", "TRACE / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\n\r\nabc", "405 closed"},
		{"method that is no token", line("G(T / HTTP/1.1"), "400 closed"},
		{"method with a slash", line("G/T / HTTP/1.1"), "400 closed"},
		{"NUL in method", line("GE\x00T / HTTP/1.1"), "400 closed"},
		{"method beyond ASCII", line("G\xcb\x98T / HTTP/1.1"), "400 closed"},
		{"byte order mark", "\xef\xbb\xbf" + line("GET / HTTP/1.1"), "400 closed"},
		{"no method", line("/ HTTP/1.1"), "400 closed"},
		{"space first", line(" GET / HTTP/1.1"), "400 closed"},
		{"tab first", line("\tGET / HTTP/1.1"), "400 closed"},
		{"two spaces", line("GET  / HTTP/1.1"), "400 closed"},
		{"two spaces before version", line("GET /  HTTP/1.1"), "400 closed"},
		{"tab instead of space", line("GET\t/ HTTP/1.1"), "400 closed"},
		{"tab before version", line("GET /\tHTTP/1.1"), "400 closed"},
		{"space behind version", line("GET / HTTP/1.1 "), "400 closed"},
		{"CR behind version", line("GET / HTTP/1.1\r"), "400 closed"},
		{"CR instead of CR LF", "GET / HTTP/1.1\r" + hostLine + end, "400 closed"},
		{"request in the line", line("GET / HTTP/1.1\rGET /smuggled HTTP/1.1"), "400 closed"},

		{"HTTP/0.9", "GET /\r\n\r\n", "400 closed"},
		{"HTTP/0.9 with version", line("GET / HTTP/0.9"), "505 closed"},
		{"HTTP/1.2", line("GET / HTTP/1.2"), "505 closed"},
		{"HTTP/1.9", line("GET / HTTP/1.9"), "505 closed"},
		{"HTTP/2.0", line("GET / HTTP/2.0"), "505 closed"},
		{"HTTP/3.0", line("GET / HTTP/3.0"), "505 closed"},
		{"HTTP/2", line("GET / HTTP/2"), "400 closed"},
		{"HTTP/1", line("GET / HTTP/1"), "400 closed"},
		{"HTTP/1.", line("GET / HTTP/1."), "400 closed"},
		{"HTTP/1.10", line("GET / HTTP/1.10"), "400 closed"},
		{"HTTP/01.1", line("GET / HTTP/01.1"), "400 closed"},
		{"HTTP/1.1x", line("GET / HTTP/1.1x"), "400 closed"},
		{"HTTP/1,1", line("GET / HTTP/1,1"), "400 closed"},
		{"http/1.1", line("GET / http/1.1"), "400 closed"},
		{"HTTPS/1.1", line("GET / HTTPS/1.1"), "400 closed"},
		{"ICY", line("GET / ICY"), "400 closed"},
		{"version beyond ASCII", line("GET / HTTP/1.\xc2\xb9"), "400 closed"},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 closed"},
		{"HTTP/2 preface with a path", line("PRI / HTTP/2.0"), "505 closed"},
		{"answer instead of request", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "400 closed"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 closed"},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n\r\n", "400 closed"},
		{"SMTP", "EHLO hello.localhost\r\n\r\n", "400 closed"},
		{"PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n" + line("GET / HTTP/1.1"), "400 closed"},
		{"Redis", "*1\r\n$4\r\nPING\r\n\r\n", "400 closed"},
		{"NULs", strings.Repeat("\x00", 100) + "\r\n\r\n", "400 closed"},
	})
}
