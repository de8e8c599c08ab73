package wagi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/wagi"
)

const origin = "https://fn.example.com"

// show writes headers one per line.
func show(h host.Headers) string {
	var b strings.Builder
	for name, value := range h.All() {
		b.WriteString(string(name) + ": " + string(value) + "\n")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	const plain = "content-type: text/plain; charset=utf-8\n"
	for _, c := range []struct {
		name, output string
		status       int
		headers      string
		body         string
	}{
		{"document", "Content-Type: text/html\n\n<p>", 200, "content-type: text/html\n", "<p>"},
		{"CR LF", "Content-Type: text/html\r\nStatus: 404 Not Found\r\n\r\n<p>\r\n", 404, "content-type: text/html\n", "<p>\r\n"},
		{"any case, no space", "STATUS:404\ncontent-TYPE:text/html \t\n\n", 404, "content-type: text/html\n", ""},
		{"status alone", "Status: 204\n\n", 204, "", ""},
		{"status with a body", "Status: 500\n\noops", 500, plain, "oops"},
		{"other fields", "X-A: 1\nContent-Type: text/html\nSet-Cookie: a\nSet-Cookie: b\nX-Empty:\n\n", 200,
			"content-type: text/html\nX-A: 1\nSet-Cookie: a\nSet-Cookie: b\nX-Empty: \n", ""},
		{"fields of the connection", "Content-Type: text/html\nContent-Length: 999\nTransfer-Encoding: chunked\nConnection: close\n\nx", 200,
			"content-type: text/html\n", "x"},
		{"redirect", "Location: https://example.com/a\n\n", 302, "location: https://example.com/a\n", ""},
		{"local redirect", "Location: /a?b\n\n", 302, "location: https://fn.example.com/a?b\n", ""},
		{"local redirect stays here", "Location: //example.com/\n\n", 302, "location: https://fn.example.com//example.com/\n", ""},
		{"redirect with a status", "Status: 303 See Other\nLocation: /a\n\n", 303, "location: https://fn.example.com/a\n", ""},
		{"body begins with an empty line", "Content-Type: a/b\n\n\nx", 200, "content-type: a/b\n", "\nx"},

		{"text", "hello\n", 200, plain, "hello\n"},
		{"text with a colon", "Note: this is no header\n\nContent-Type: a/b\n", 200, plain, "Note: this is no header\n\nContent-Type: a/b\n"},
		{"text before a field", "hello\nContent-Type: a/b\n\n", 200, plain, "hello\nContent-Type: a/b\n\n"},
		{"empty line first", "\nContent-Type: a/b\n\n", 200, plain, "\nContent-Type: a/b\n\n"},
		{"JSON", `{"status": "ok"}`, 200, plain, `{"status": "ok"}`},
		{"markup", "<a href='http://example.com'>\nStatus: 1\n\n", 200, plain, "<a href='http://example.com'>\nStatus: 1\n\n"},
		{"bytes", "\x00\xff:\n", 200, plain, "\x00\xff:\n"},
		{"one long line", "a:" + strings.Repeat("x", 70_000), 200, plain, "a:" + strings.Repeat("x", 70_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := wagi.Parse([]byte(c.output), origin)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != c.status || show(a.Headers) != c.headers || string(a.Body) != c.body {
				t.Errorf("got %d, %q, %.99q, want %d, %q, %.99q", a.Status, show(a.Headers), a.Body, c.status, c.headers, c.body)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const malformed = `a header line must be "name: value"; write a Content-Type line and an empty line before the body`
	const endless = "the header block has no end: write an empty line after it, within its first 65536 bytes"
	for _, c := range []struct{ name, output, want string }{
		{"folded", "Content-Type: a/b;\n charset=x\n\n", "line 2: " + malformed},
		{"no colon", "Content-Type: a/b\nhello\n\n", "line 2: " + malformed},
		{"space in a name", "X-A: 1\nX B: 2\nStatus: 200\n\n", "line 2: " + malformed},
		{"control character", "Content-Type: a/b\nX-A: a\rb\n\n", "line 2: " + malformed},
		{"twice", "Content-Type: a/b\ncontent-type: c/d\n\n", "line 2: content-type is given twice"},
		{"no value", "Location:\n\n", "line 1: location has no value"},
		{"no end", "Status: 200", "line 1: " + endless},
		{"no empty line", "Status: 200\n", "line 2: " + endless},
		{"too long", "Status: 200\n" + strings.Repeat("X-A: 1\n", 10_000) + "\n", "line 9362: " + endless},
		{"no number", "Status: ok\n\n", `the program's Status "ok" must be a number from 200 to 599, and a reason after a space if you like`},
		{"too low", "Status: 101\n\n", `the program's Status "101" must be a number from 200 to 599, and a reason after a space if you like`},
		{"too high", "Status: 600 x\n\n", `the program's Status "600 x" must be a number from 200 to 599, and a reason after a space if you like`},
		{"signed", "Status: +20\n\n", `the program's Status "+20" must be a number from 200 to 599, and a reason after a space if you like`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wagi.Parse([]byte(c.output), origin)
			if got := text(err); strings.TrimPrefix(got, "the program's output, ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if err != nil && host.CodeOf(err) != host.CodeInvalid {
				t.Errorf("code %v", host.CodeOf(err))
			}
		})
	}
}

// Whatever a program writes, its answer is one that a Responder takes, and its
// body the end of what it wrote.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "\n", "hello", "Content-Type: a/b\n\nx", "Status: 404\r\nLocation: /x\r\n\r\n",
		"Location: //\n\n", "X: \x00\nStatus: 200\n\n", "A: b\n c\nStatus: 1\n\n", "Connection: x\nStatus: 200\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		a, err := wagi.Parse(output, origin)
		if err != nil {
			if host.CodeOf(err) != host.CodeInvalid {
				t.Errorf("code %v", host.CodeOf(err))
			}
			return
		}
		if a.Status < 200 || a.Status > 599 || !bytes.HasSuffix(output, a.Body) {
			t.Errorf("status %d, body %q", a.Status, a.Body)
		}
		if err := a.Headers.Check(); err != nil {
			t.Error(err)
		}
		for name := range a.Headers.All() {
			if host.IsHopByHop(name) {
				t.Errorf("header %q", name)
			}
		}
	})
}
