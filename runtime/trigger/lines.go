package trigger

import (
	"bytes"
	"strconv"

	"github.com/mayfly-run/mayfly/host"
	"github.com/valyala/fasthttp"
)

// lines is what a request's header lines say about the connection and the body.
// fasthttp forgets some of it once it has acted on it.
type lines struct {
	encoding []byte // of Transfer-Encoding; nil without
	length   int64  // of Content-Length; -1 without
	expects  bool   // there is Expect
}

// readLines checks the lines of a header as the client sent them, up to and with
// the empty one.
func readLines(raw []byte, most int) (l lines, r *refusal) {
	l.length = -1
	for n := 0; len(raw) > 0; n++ {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		if n > most {
			return l, &refusal{fasthttp.StatusRequestHeaderFieldsTooLarge, "there are too many header fields"}
		}
		if r := l.read(line); r != nil {
			return l, r
		}
		raw = rest
	}
	return l, nil
}

// read checks what fasthttp is lenient about, with the reason to refuse it in
// RFC 9112 or 9110:
//   - 2.2: a line that ends in LF alone. Others may see one line where we see two.
//   - 5.2: folded fields, which others join or cut.
//   - 9110, 5.1: names with spaces in them.
func (l *lines) read(line []byte) *refusal {
	line, crlf := bytes.CutSuffix(line, []byte("\r"))
	switch {
	case !crlf:
		return &refusal{fasthttp.StatusBadRequest, "a header line must end in CR LF"}
	case len(line) == 0:
		return nil
	case line[0] == ' ' || line[0] == '\t':
		return &refusal{fasthttp.StatusBadRequest, "a header field must not be folded over several lines"}
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	if !host.IsToken(name) {
		return &refusal{fasthttp.StatusBadRequest, "a header field's name must be a token"}
	}
	return l.note(name, bytes.Trim(value, " \t"))
}

func (l *lines) note(name, value []byte) *refusal {
	switch len(name) {
	case len("expect"):
		l.expects = l.expects || equalLower(name, "expect")
	case len("connection"):
		if equalLower(name, "connection") && namesField(value) {
			return &refusal{fasthttp.StatusBadRequest, "Connection must not name a field that is for all who handle the request"}
		}
	case len("content-length"):
		if equalLower(name, "content-length") {
			l.length, _ = strconv.ParseInt(string(value), 10, 64) // fasthttp has refused what is no number
		}
	case len("transfer-encoding"):
		if equalLower(name, "transfer-encoding") {
			l.encoding = append([]byte{}, value...)
		}
	}
	return nil
}

// namesField reports whether a Connection field asks servers on the way to take
// out a field that decides about framing, routing or access. RFC 9110, section
// 7.6.1 forbids senders to, and where a proxy obeys, it hands on another request
// than it checked.
func namesField(options []byte) bool {
	for option := range bytes.SplitSeq(options, []byte(",")) {
		option = bytes.Trim(option, " \t")
		for _, field := range []string{"content-length", "transfer-encoding", "host", "authorization", "cookie", "cdn-loop", "expect"} {
			if len(option) == len(field) && equalLower(option, field) {
				return true
			}
		}
		if isAboutClient(option) {
			return true
		}
	}
	return false
}
