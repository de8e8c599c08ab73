package wagi

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/mayfly-run/mayfly/host"
)

// maxHeader is how long a header block may be, in bytes.
const maxHeader = 64 << 10

// Answer is what a program's output stands for.
type Answer struct {
	Status  int // 200..599
	Headers host.Headers
	Body    []byte // part of the output
}

// Parse reads a program's output (RFC 3875, section 6): a header block, an empty
// line, and the body. Lines end in LF or CR LF. Origin is the scheme and
// authority of the request, such as "https://example.com".
//
// The output is taken for a header block if its first line is a header field
// and any of its lines up to the first empty one is Content-Type, Status or
// Location. All other output is a body of plain text.
//
//   - Status is a code from 200 to 599; what follows the code is ignored.
//   - Location without Status makes the status 302. If it begins with "/" it
//     becomes a URL of the same origin: the client is redirected, where RFC 3875
//     would have the server handle a second request.
//   - Other fields are passed on, but for those of the connection and
//     Content-Length, which the host sets itself.
//
// The error is an *host.Error: a malformed line (a field folded over several
// lines is one), a CGI field given twice, a block without an end or larger than
// 64 KiB.
func Parse(output []byte, origin string) (*Answer, error) {
	b := scan(output)
	if !b.meant {
		return &Answer{Status: http.StatusOK, Headers: plainText, Body: output}, nil
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.answer(origin)
}

var plainText = host.Headers("content-type\x00text/plain; charset=utf-8\x00")

// Fields that are CGI's own, in the order of block.cgi.
var cgiFields = [...]string{"content-type", "status", "location"}

const (
	contentType = iota
	status
	location
)

// block is the beginning of an output, read as a header block.
type block struct {
	meant  bool                   // as a header block
	cgi    [len(cgiFields)][]byte // values; nil where there is none
	others host.Headers
	body   []byte
	err    error // the first thing that is wrong with it
}

func scan(output []byte) *block {
	b, rest := new(block), output
	for number := 1; ; number++ {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		if line = bytes.TrimSuffix(line, []byte{'\r'}); len(line) == 0 && ended {
			b.body = after
			return b
		}
		size := len(output) - len(after)
		if !ended || size > maxHeader {
			b.fault(number, "the header block has no end: write an empty line after it, within its first %d bytes", maxHeader)
		}
		wellFormed := len(line) > 0 && size <= maxHeader && b.add(number, line)
		if number == 1 && !wellFormed || !ended || size > maxHeader {
			return b
		}
		rest = after
	}
}

func (b *block) fault(line int, format string, args ...any) {
	if b.err == nil {
		what := host.Errorf(host.CodeInvalid, format, args...)
		b.err = host.Errorf(host.CodeInvalid, "the program's output, line %d: %s", line, what.Msg)
	}
}

// add takes a line as a field and reports whether it is one.
func (b *block) add(number int, line []byte) bool {
	name, value, found := bytes.Cut(line, []byte{':'})
	value = bytes.Trim(value, " \t")
	field := host.Headers(nil).Add(string(name), string(value))
	if err := field.Check(); err != nil || !found {
		b.fault(number, "a header line must be \"name: value\"; write a Content-Type line and an empty line before the body")
		return false
	}
	for i, cgi := range cgiFields {
		if bytes.EqualFold(name, []byte(cgi)) {
			b.set(number, i, value)
			return true
		}
	}
	if !host.IsHopByHop(name) {
		b.others = append(b.others, field...)
	}
	return true
}

func (b *block) set(number, i int, value []byte) {
	b.meant = true
	if b.cgi[i] != nil {
		b.fault(number, "%s is given twice", cgiFields[i])
	}
	if len(value) == 0 {
		b.fault(number, "%s has no value", cgiFields[i])
	}
	b.cgi[i] = value
}

func (b *block) answer(origin string) (*Answer, error) {
	code, err := b.status()
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: code, Body: b.body}
	if v := b.cgi[contentType]; v != nil {
		a.Headers = a.Headers.Add(cgiFields[contentType], string(v))
	} else if len(b.body) > 0 {
		a.Headers = append(a.Headers, plainText...)
	}
	if v := b.cgi[location]; v != nil {
		a.Headers = a.Headers.Add(cgiFields[location], absolute(string(v), origin))
	}
	a.Headers = append(a.Headers, b.others...)
	return a, nil
}

func (b *block) status() (int, error) {
	v := b.cgi[status]
	if v == nil && b.cgi[location] != nil {
		return http.StatusFound, nil
	}
	if v == nil {
		return http.StatusOK, nil
	}
	digits, _, _ := bytes.Cut(v, []byte{' '})
	code, err := strconv.Atoi(string(digits))
	if err != nil || len(digits) != 3 || code < 200 || code > 599 {
		return 0, host.Errorf(host.CodeInvalid, "the program's Status %.64q must be a number from 200 to 599, and a reason after a space if you like", v)
	}
	return code, nil
}

func absolute(location, origin string) string {
	if location[0] == '/' {
		return origin + location
	}
	return location
}
