package trigger_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func fields(pairs ...string) (block string) { return strings.Join(pairs, "\x00") + "\x00" }

func TestRespondHeaders(t *testing.T) {
	invalid, tooLarge := refusedWith(host.CodeInvalid), refusedWith(host.CodeTooLarge)
	with := func(pairs ...string) []byte { return answersAs(200, fields(pairs...), "abc") }
	cases := []answerCase{
		{"none", answersAs(200, "", "abc"), "200 [] abc"},
		{"one", with("x-a", "b"), "200 [X-A: b] abc"},
		{"order and case", with("x-b", "1", "X-A", "2", "x-B", "3"), "200 [X-B: 1 X-A: 2 X-B: 3] abc"},
		{"empty value", with("x-a", ""), "200 [X-A: ] abc"},
		{"bytes beyond ASCII", with("x-a", "\xc3\xa9\xff"), "200 [X-A: \xc3\xa9\xff] abc"},
		{"token of all kinds", with("!#$%&'*+-.^_`|~9", "b"), "200 [!#$%&'*+-.^_`|~9: b] abc"},
		{"two cookies", with("set-cookie", "a=1; Path=/", "set-cookie", "b=2"), "200 [Set-Cookie: a=1; Path=/ Set-Cookie: b=2] abc"},
		{"two cookies of a name", with("set-cookie", "a=1; Path=/x", "set-cookie", "a=2; Path=/y"), "200 [Set-Cookie: a=1; Path=/x Set-Cookie: a=2; Path=/y] abc"},
		{"cookies that are none", with("set-cookie", "nonsense", "set-cookie", "", "set-cookie", "=;=", "set-cookie", "a=1; Expires=never"),
			"200 [Set-Cookie: nonsense Set-Cookie:  Set-Cookie: =;= Set-Cookie: a=1; Expires=never] abc"},
		{"Date of its own", with("date", "yesterday"), "200 [] abc"},
		{"Server of its own", with("server", "mine"), "200 [Server: mine] abc"},
		{"two types", with("content-type", "a/b", "content-type", "c/d"), "200 [Content-Type: c/d] abc"},
		{"two encodings", with("content-encoding", "gzip", "content-encoding", "br"), "200 [Content-Encoding: br] abc"},

		{"length too long", with("content-length", "999"), "200 [] abc"},
		{"length too short", with("Content-Length", "1"), "200 [] abc"},
		{"length that is none", with("CONTENT-LENGTH", "-1"), "200 [] abc"},
		{"chunked", with("transfer-encoding", "chunked"), "200 [] abc"},
		{"chunked and a length", with("Transfer-Encoding", "chunked", "Content-Length", "0"), "200 [] abc"},
		{"gzip as transfer encoding", with("transfer-encoding", "gzip"), "200 [] abc"},
		{"Connection: close", with("connection", "close"), "200 [] abc"},
		{"Connection: upgrade", with("Connection", "Upgrade", "Upgrade", "websocket"), "200 [] abc"},
		{"Keep-Alive", with("keep-alive", "timeout=1"), "200 [] abc"},
		{"Proxy-Connection", with("proxy-connection", "close"), "200 [] abc"},
		{"Trailer", with("trailer", "x-a"), "200 [] abc"},
		{"TE", with("te", "trailers"), "200 [] abc"},

		{"empty name", with("", "b"), invalid},
		{"space in name", with("x a", "b"), invalid},
		{"space behind name", with("x-a ", "b"), invalid},
		{"space behind Content-Length", with("content-length ", "0"), invalid},
		{"tab before name", with("\tx-a", "b"), invalid},
		{"colon in name", with("x:a", "b"), invalid},
		{"CR LF in name", with("x\r\ny", "b"), invalid},
		{"line feed in name", with("x\ny", "b"), invalid},
		{"answer in name", with("x: a\r\n\r\nHTTP/1.1 200 OK\r\nx", "b"), invalid},
		{"control character in name", with("x\x01", "b"), invalid},
		{"DEL in name", with("x\x7f", "b"), invalid},
		{"name beyond ASCII", with("\xc3\xa9", "b"), invalid},
		{"slash in name", with("x/y", "b"), invalid},
		{"brackets in name", with("x(y)", "b"), invalid},
		{"pseudo field", with(":status", "200"), invalid},
		{"CR LF in value", with("x-a", "b\r\nset-cookie: c=d"), invalid},
		{"answer in value", with("x-a", "b\r\n\r\nHTTP/1.1 200 OK\r\n"), invalid},
		{"CR in value", with("x-a", "b\rc"), invalid},
		{"line feed in value", with("x-a", "b\nc"), invalid},
		{"escape in value", with("x-a", "\x1b[31m"), invalid},
		{"DEL in value", with("x-a", "\x7f"), invalid},
		{"space before value", with("x-a", " b"), invalid},
		{"tab behind value", with("x-a", "b\t"), invalid},
		{"CR LF in cookie", with("set-cookie", "a=b\r\nx: y"), invalid},
		{"CR LF in type", with("content-type", "a/b\r\nx: y"), invalid},
		{"no NUL at the end", answersAs(200, "x-a\x00b", "abc"), invalid},
		{"no value", answersAs(200, "x-a\x00", "abc"), invalid},
		{"NUL alone", answersAs(200, "\x00", "abc"), invalid},
		{"NULs", answersAs(200, "\x00\x00\x00\x00", "abc"), invalid},
		{"odd number of parts", answersAs(200, "x-a\x00b\x00x-c\x00", "abc"), invalid},

		{"128 KiB", with("x", strings.Repeat("a", host.MaxHeaders-3)), "200 [X: " + strings.Repeat("a", host.MaxHeaders-3) + "] abc"},
		{"128 KiB and a byte", with("x", strings.Repeat("a", host.MaxHeaders-2)), tooLarge},
		{"10,000 fields", answersAs(200, strings.Repeat("x\x00y\x00", 10_000), "abc"), "200 [" + strings.TrimSpace(strings.Repeat("X: y ", 10_000)) + "] abc"},
		{"1 MiB of fields", answersAs(200, strings.Repeat("x\x00y\x00", 1<<18), "abc"), tooLarge},
	}
	runAnswers(t, "GET", cases)
}

func TestRespondStatus(t *testing.T) {
	var cases []answerCase
	for _, status := range []int32{-1 << 31, -200, -1, 0, 1, 20, 99, 100, 101, 102, 103, 199, 600, 999, 1000, 2000, 65736, 1<<31 - 1} {
		cases = append(cases, answerCase{fmt.Sprint(status), answersAs(status, "", "abc"), refusedWith(host.CodeInvalid)},
			answerCase{fmt.Sprint(status, " streamed"), streamsAs(status, "", "abc"), refusedWith(host.CodeInvalid)})
	}
	for _, status := range []int32{201, 204, 205, 206, 299, 301, 304, 399, 407, 418, 426, 499, 500, 599} {
		want := fmt.Sprintf("%d [X-A: b]", status)
		cases = append(cases, answerCase{fmt.Sprint(status, " with a body"), answersAs(status, fields("x-a", "b"), "abc"), want},
			answerCase{fmt.Sprint(status, " without"), answersAs(status, fields("x-a", "b"), ""), want},
			answerCase{fmt.Sprint(status, " streamed"), streamsAs(status, fields("x-a", "b"), "abc"), want})
	}
	runAnswers(t, "GET", append(cases, answerCase{"200 streamed", streamsAs(200, fields("content-length", "1"), "abc"), "200 [] abc"}))
}

func TestRespondToHead(t *testing.T) {
	runAnswers(t, "HEAD", []answerCase{
		{"body", answersAs(200, "", "abc"), "200 []"},
		{"no body", answersAs(200, "", ""), "200 []"},
		{"length of its own", answersAs(200, fields("content-length", "999"), ""), "200 []"},
		{"streamed", streamsAs(200, "", "abc"), "200 []"},
		{"204 with a body", answersAs(204, "", "abc"), "204 []"},
		{"refused", answersAs(0, "", ""), refusedWith(host.CodeInvalid)},
		{"no answer", opsGuest(), failedGuest},
	})
}

// A guest answers once: what it tries after that is refused, and without an answer
// it has failed.
func TestRespondOnce(t *testing.T) {
	said := func(ops func(call map[string]uint32) [][]byte) []byte {
		return guest("firstsecond", ops, "respond", "respond_stream", "body_write", "close")
	}
	first := func(call map[string]uint32) []byte { return answer(call, 200, 5) }
	trapUnless := func(code host.Code) []byte {
		return concat(numbers(-int32(code)), hosttest.I32Ne, hosttest.If, hosttest.Unreachable, hosttest.End)
	}
	stream := func(call map[string]uint32) []byte {
		return concat(numbers(200, 0, 0), hosttest.Call(call["respond_stream"]), hosttest.LocalSet(0))
	}
	write := func(call map[string]uint32) []byte {
		return concat(hosttest.LocalGet(0), numbers(textAt, 5), hosttest.Call(call["body_write"]))
	}
	again := func(call map[string]uint32) []byte {
		return concat(numbers(201, 0, 0, 5, 6), hosttest.Call(call["respond"]))
	}
	const plain = "200 [Content-Type: text/plain] first"
	runAnswers(t, "GET", []answerCase{
		{"twice", said(func(call map[string]uint32) [][]byte {
			return [][]byte{first(call), again(call), trapUnless(host.CodeState)}
		}), plain},
		{"streamed after", said(func(call map[string]uint32) [][]byte {
			return [][]byte{first(call), numbers(201, 0, 0), hosttest.Call(call["respond_stream"]), trapUnless(host.CodeState)}
		}), plain},
		{"after a stream", said(func(call map[string]uint32) [][]byte {
			return [][]byte{stream(call), write(call), hosttest.Drop, again(call), trapUnless(host.CodeState)}
		}), "200 [] first"},
		{"written after the end", said(func(call map[string]uint32) [][]byte {
			return [][]byte{stream(call), write(call), hosttest.Drop, hosttest.LocalGet(0), hosttest.Call(call["close"]), hosttest.Drop,
				write(call), trapUnless(host.CodeHandle)}
		}), "200 [] first"},
		{"written without a stream", said(func(call map[string]uint32) [][]byte {
			return [][]byte{write(call), trapUnless(host.CodeHandle), first(call)}
		}), plain},
		{"never", said(func(map[string]uint32) [][]byte { return nil }), failedGuest},
		{"trap before", said(func(map[string]uint32) [][]byte { return [][]byte{hosttest.Unreachable} }), failedGuest},
		{"trap after", said(func(call map[string]uint32) [][]byte { return [][]byte{first(call), hosttest.Unreachable} }), failedGuest},
		{"headers out of memory", said(func(call map[string]uint32) [][]byte {
			return [][]byte{numbers(200, -1, 10, 0, 0), hosttest.Call(call["respond"]), hosttest.Drop}
		}), failedGuest},
		{"body out of memory", said(func(call map[string]uint32) [][]byte {
			return [][]byte{numbers(200, 0, 0, 1<<17-1, 2), hosttest.Call(call["respond"]), hosttest.Drop}
		}), failedGuest},
	})
}

func TestRespondCGI(t *testing.T) {
	const html, plain = "Content-Type: text/html\n", "200 [Content-Type: text/plain; charset=utf-8] "
	runAnswers(t, "GET", []answerCase{
		{"document", program(html + "\nabc"), "200 [Content-Type: text/html] abc"},
		{"text", program("abc"), plain + "abc"},
		{"nothing", program(""), failedGuest},
		{"status", program("Status: 404 Not Found\n" + html + "\nabc"), "404 [Content-Type: text/html]"},
		{"huge reason", program("Status: 404 " + strings.Repeat("x", 60_000) + "\n" + html + "\nabc"), "404 [Content-Type: text/html]"},
		{"reason beyond the block", program("Status: 404 " + strings.Repeat("x", 70_000) + "\n\n"), plain + "Status: 404 " + strings.Repeat("x", 48)},
		{"204 with a body", program("Status: 204\n\nabc"), "204 [Content-Type: text/plain; charset=utf-8]"},
		{"304 with a body", program("Status: 304\n\nabc"), "304 [Content-Type: text/plain; charset=utf-8]"},
		{"length that lies", program(html + "Content-Length: 999\n\nabc"), "200 [Content-Type: text/html] abc"},
		{"fields of the connection", program(html + "Transfer-Encoding: chunked\nConnection: close\nUpgrade: x\nKeep-Alive: x\nTrailer: x\n\nabc"), "200 [Content-Type: text/html] abc"},
		{"cookies", program(html + "Set-Cookie: a=1\nSet-Cookie: a=2\n\n"), "200 [Content-Type: text/html Set-Cookie: a=1 Set-Cookie: a=2]"},
		{"answer as output", program("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), plain + "HTTP/1.1 200 OK\r\nContent-Length: 0"},
		{"status 100", program("Status: 100\n\n"), failedGuest},
		{"status 101", program("Status: 101 Switching Protocols\nUpgrade: x\n\n"), failedGuest},
		{"status 600", program("Status: 600\n\n"), failedGuest},
		{"status 0", program("Status: 0\n\n"), failedGuest},
		{"status of four digits", program("Status: 2000\n\n"), failedGuest},
		{"status with a sign", program("Status: -200\n\n"), failedGuest},
		{"two statuses", program("Status: 200\nStatus: 204\n\n"), failedGuest},
		{"empty status", program("Status:\n\n"), failedGuest},
		{"space in name", program(html + "X A: b\n\n"), failedGuest},
		{"CR in value", program(html + "X-A: b\rc\n\n"), failedGuest},
		{"NUL in value", program(html + "X-A: b\x00c\n\n"), failedGuest},
		{"NUL in name", program(html + "X\x00: b\n\n"), failedGuest},
		{"folded", program(html + "X-A: b\n c\n\n"), failedGuest},
		{"no end", program(html), failedGuest},
		{"block too large", program(html + strings.Repeat("X-A: b\n", 10_000) + "\n"), failedGuest},
		{"CR in Location", program(html + "Location: /a\rb\n\n"), failedGuest},
		{"Location", program("Location: https://other.localhost/\n\n"), "302 [Location: https://other.localhost/]"},
	})
}

// A client of HTTP/1.0 knows no chunks: the end of the connection is that of a
// streamed answer.
func TestRespondToOldClient(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"streams": streamsAs(200, "", "abc"), "once": answersAs(200, "", "abc")})
	for _, function := range []string{"streams", "once"} {
		for _, fields := range []string{"", "Connection: keep-alive\r\n"} {
			c := s.dial()
			c.write("GET / HTTP/1.0\r\nHost: " + function + ".localhost\r\n" + fields + "\r\n")
			resp := c.response()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != "abc" || len(resp.TransferEncoding) > 0 || resp.StatusCode != 200 {
				t.Errorf("%s %q: %d %q, %v, transfer encoding %q", function, fields, resp.StatusCode, body, err, resp.TransferEncoding)
			}
			if function == "once" {
				continue // the connection may go on
			}
			if _, err := c.r.ReadByte(); err != io.EOF {
				t.Errorf("behind the stream: %v, want the end", err)
			}
		}
	}
}
