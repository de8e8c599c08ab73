package trigger

import (
	"bytes"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/valyala/fasthttp"
)

// refusal is an answer given before any Function is looked for.
type refusal struct {
	status int
	reason string
}

// target is where a request wants to go, after checkRequest.
type target struct {
	host []byte // authority as sent, checked
	path []byte // path and query, begins with "/"
}

// checkRequest finds what fasthttp lets through although HTTP forbids it or
// another server on the way might read it differently (RFC 9112). Everything
// refused here closes the connection.
func (h *HTTP) checkRequest(ctx *fasthttp.RequestCtx) (target, *refusal) {
	header := &ctx.Request.Header
	if r := checkFraming(header); r != nil {
		return target{}, r
	}
	if r := h.checkFields(header); r != nil {
		return target{}, r
	}
	uri := header.RequestURI()
	if len(uri) > h.cfg.MaxURL {
		return target{}, &refusal{fasthttp.StatusRequestURITooLong, "the URL is too long"}
	}
	if r := checkMethod(header.Method()); r != nil {
		return target{}, r
	}
	return splitTarget(uri, header.Host())
}

func checkFraming(header *fasthttp.RequestHeader) *refusal {
	switch protocol := string(header.Protocol()); protocol {
	case "HTTP/1.1", "HTTP/1.0":
	default:
		return &refusal{fasthttp.StatusHTTPVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
	}
	encoding := rawField(header.RawHeaders(), "transfer-encoding")
	switch {
	case encoding == nil:
	case !bytes.EqualFold(encoding, []byte("chunked")):
		return &refusal{fasthttp.StatusNotImplemented, "the only transfer encoding understood is chunked"}
	case rawField(header.RawHeaders(), "content-length") != nil:
		return &refusal{fasthttp.StatusBadRequest, "a request has either Content-Length or Transfer-Encoding"}
	}
	if expect := header.Peek("Expect"); len(expect) > 0 && !bytes.EqualFold(expect, []byte("100-continue")) {
		return &refusal{fasthttp.StatusExpectationFailed, "the only expectation understood is 100-continue"}
	}
	return nil
}

func (h *HTTP) checkFields(header *fasthttp.RequestHeader) *refusal {
	raw := header.RawHeaders()
	if n := bytes.Count(raw, []byte("\n")); n > h.cfg.MaxFields+1 {
		return &refusal{fasthttp.StatusRequestHeaderFieldsTooLarge, "there are too many header fields"}
	}
	if bytes.Contains(raw, []byte("\n ")) || bytes.Contains(raw, []byte("\n\t")) {
		return &refusal{fasthttp.StatusBadRequest, "a header field must not be folded over several lines"}
	}
	return nil
}

// checkLimits holds a request against the limits of the Function that it is for.
// The node's own are smaller or larger than these and were checked before.
func checkLimits(header *fasthttp.RequestHeader, active *deploy.Active) *refusal {
	own := &active.Version.Settings.Limits
	switch {
	case exceedsKB(header.RequestURI(), own.URLKB):
		return &refusal{fasthttp.StatusRequestURITooLong, "the URL is too long"}
	case exceedsKB(header.RawHeaders(), own.HeadersKB):
		return &refusal{fasthttp.StatusRequestHeaderFieldsTooLarge, "the request's header is too large"}
	case int64(header.ContentLength()) > active.Limits.RequestBody:
		return &refusal{fasthttp.StatusRequestEntityTooLarge, "the request's body is too large"}
	}
	return nil
}

// exceedsKB reports whether b is larger than a limit in KiB; 0 is no limit.
func exceedsKB(b []byte, limit int64) bool { return limit > 0 && int64(len(b)) > limit<<10 }

func checkMethod(method []byte) *refusal {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
		return nil
	case "CONNECT", "TRACE":
		return &refusal{fasthttp.StatusMethodNotAllowed, "this method is not allowed"}
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return &refusal{fasthttp.StatusNotImplemented, "a method is written in capital letters"}
		}
	}
	return nil
}

// splitTarget reads the request target and the Host field, which must agree.
func splitTarget(uri, hostField []byte) (target, *refusal) {
	t := target{host: hostField, path: uri}
	if bytes.IndexByte(uri, '#') >= 0 {
		return t, &refusal{fasthttp.StatusBadRequest, "a request target has no fragment"}
	}
	if uri[0] != '/' {
		authority, path, ok := cutAbsolute(uri)
		if !ok {
			return t, &refusal{fasthttp.StatusBadRequest, "the request target must be a path or an absolute URL"}
		}
		if !bytes.EqualFold(authority, hostField) {
			return t, &refusal{fasthttp.StatusBadRequest, "the request target and Host name different hosts"}
		}
		t.path = path
	}
	if !validHost(hostField) {
		return t, &refusal{fasthttp.StatusBadRequest, "the Host field does not hold a host"}
	}
	return t, nil
}

// cutAbsolute splits "http://authority/path". Only a path gets through, not the
// authority form of CONNECT nor the asterisk of OPTIONS.
func cutAbsolute(uri []byte) (authority, path []byte, ok bool) {
	scheme, rest, ok := bytes.Cut(uri, []byte("://"))
	if !ok || !bytes.EqualFold(scheme, []byte("http")) && !bytes.EqualFold(scheme, []byte("https")) {
		return nil, nil, false
	}
	i := bytes.IndexByte(rest, '/')
	if i < 0 {
		return rest, []byte("/"), bytes.IndexByte(rest, '?') < 0
	}
	return rest[:i], rest[i:], true
}

// validHost accepts a name, an IPv4 or bracketed IPv6 address, and a port.
func validHost(b []byte) bool {
	name, port := b, []byte(nil)
	if i := bytes.LastIndexByte(b, ':'); i >= 0 && bytes.IndexByte(b[i:], ']') < 0 {
		name, port = b[:i], b[i+1:]
	}
	if len(name) == 0 || len(name) > 253 || len(port) > 5 {
		return false
	}
	for _, c := range port {
		if c < '0' || c > '9' {
			return false
		}
	}
	if name[0] == '[' {
		return len(name) > 2 && name[len(name)-1] == ']' && allIn(name[1:len(name)-1], "0123456789abcdefABCDEF:.")
	}
	return allIn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._")
}

func allIn(b []byte, set string) bool {
	for _, c := range b {
		if strings.IndexByte(set, c) < 0 {
			return false
		}
	}
	return true
}

// rawField returns the value of the first field of that lower-case name in a
// block of header lines, or nil. fasthttp forgets a field that it has acted on.
func rawField(raw []byte, name string) []byte {
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		if len(line) > len(name) && line[len(name)] == ':' && equalLower(line[:len(name)], name) {
			return append([]byte{}, bytes.TrimSpace(line[len(name)+1:])...)
		}
		raw = rest
	}
	return nil
}

func equalLower(b []byte, lower string) bool {
	for i, c := range b {
		if host.ASCIILower(c) != lower[i] {
			return false
		}
	}
	return true
}
