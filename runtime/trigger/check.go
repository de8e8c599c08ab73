package trigger

import (
	"bytes"
	"net/netip"
	"strconv"
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
	size int64  // of the body as announced, in bytes; -1 if it was not
}

// checkRequest finds what fasthttp lets through although HTTP forbids it or
// another server on the way might read it differently (RFC 9112). Everything
// refused here closes the connection.
func (h *HTTP) checkRequest(ctx *fasthttp.RequestCtx) (target, *refusal) {
	return h.checkHeader(&ctx.Request.Header)
}

func (h *HTTP) checkHeader(header *fasthttp.RequestHeader) (target, *refusal) {
	lines, r := readLines(header.RawHeaders(), h.cfg.MaxFields)
	if r == nil {
		r = h.checkFraming(header, lines)
	}
	if r != nil {
		return target{}, r
	}
	uri := header.RequestURI()
	if len(uri) > h.cfg.MaxURL {
		return target{}, &refusal{fasthttp.StatusRequestURITooLong, "the URL is too long"}
	}
	if r := checkMethod(header.Method()); r != nil {
		return target{}, r
	}
	t, r := splitTarget(uri, header.Host())
	t.size = lines.length
	return t, r
}

func (h *HTTP) checkFraming(header *fasthttp.RequestHeader, lines lines) *refusal {
	switch protocol := string(header.Protocol()); protocol {
	case "HTTP/1.1", "HTTP/1.0":
	default:
		return &refusal{fasthttp.StatusHTTPVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
	}
	switch {
	case lines.encoding != nil && !bytes.EqualFold(lines.encoding, []byte("chunked")):
		return &refusal{fasthttp.StatusNotImplemented, "the only transfer encoding understood is chunked"}
	case lines.encoding != nil && lines.length >= 0: // RFC 9112, section 6.1
		return &refusal{fasthttp.StatusBadRequest, "a request has either Content-Length or Transfer-Encoding"}
	case lines.length > h.cfg.MaxBody:
		return &refusal{fasthttp.StatusRequestEntityTooLarge, "the request's body is too large"}
	case lines.expects && !only(header.PeekAll("Expect"), "100-continue"):
		return &refusal{fasthttp.StatusExpectationFailed, "the only expectation understood is 100-continue"}
	}
	return nil
}

func only(values [][]byte, allowed string) bool {
	for _, v := range values {
		if !bytes.EqualFold(v, []byte(allowed)) {
			return false
		}
	}
	return true
}

// checkLimits holds a request against the limits of the Function that it is for.
// The node's own are smaller or larger than these and were checked before.
func checkLimits(header *fasthttp.RequestHeader, t target, active *deploy.Active) *refusal {
	own := &active.Version.Settings.Limits
	switch {
	case exceedsKB(header.RequestURI(), own.URLKB):
		return &refusal{fasthttp.StatusRequestURITooLong, "the URL is too long"}
	case exceedsKB(header.RawHeaders(), own.HeadersKB):
		return &refusal{fasthttp.StatusRequestHeaderFieldsTooLarge, "the request's header is too large"}
	case t.size > active.Limits.RequestBody:
		return &refusal{fasthttp.StatusRequestEntityTooLarge, "the request's body is too large"}
	}
	return nil
}

// exceedsKB reports whether b is larger than a limit in KiB; 0 is no limit.
func exceedsKB(b []byte, limit int64) bool { return limit > 0 && int64(len(b)) > limit<<10 }

// maxMethod is how long a method may be, in bytes. RFC 9112, section 3 wants 501
// for one that is longer than any that is known; a guest may know its own.
const maxMethod = 32

func checkMethod(method []byte) *refusal {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
		return nil
	case "CONNECT", "TRACE":
		return &refusal{fasthttp.StatusMethodNotAllowed, "this method is not allowed"}
	}
	if len(method) > maxMethod {
		return &refusal{fasthttp.StatusNotImplemented, "the method is too long"}
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
	switch {
	case !validPath(t.path):
		return t, &refusal{fasthttp.StatusBadRequest, "the request target holds what must be percent-encoded, or a % without two digits"}
	case !validHost(hostField):
		return t, &refusal{fasthttp.StatusBadRequest, "the Host field does not hold a host"}
	}
	return t, nil
}

// validPath finds what may not stand in a path and query as it is, which servers
// on the way mend in different ways (RFC 3986, section 2; RFC 9112, section 3
// wants 400): bytes beyond ASCII, quotation marks, angle brackets, and in a path,
// where some take it for "/", the backslash, or a "%" without digits. Of what is
// wrong besides, browsers send some in queries.
func validPath(pathQuery []byte) bool {
	path, query, _ := bytes.Cut(pathQuery, []byte("?"))
	for i, c := range path {
		switch {
		case !printable(c), c == '\\', c == '%' && !(i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2])):
			return false
		}
	}
	for _, c := range query {
		if !printable(c) {
			return false
		}
	}
	return true
}

func printable(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' }

func isHex(c byte) bool {
	c = host.ASCIILower(c)
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
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
	if len(name) == 0 || len(name) > 253 || !validPort(port) {
		return false
	}
	if name[0] == '[' {
		a, err := netip.ParseAddr(string(bytes.TrimSuffix(name[1:], []byte("]"))))
		return err == nil && name[len(name)-1] == ']' && a.Is6() && a.Zone() == ""
	}
	return allIn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._")
}

// validPort accepts 1 to 65535, and nothing, which RFC 3986 allows behind a colon.
func validPort(port []byte) bool {
	if len(port) == 0 {
		return true
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	return err == nil && n > 0 && len(port) <= 5
}

func allIn(b []byte, set string) bool {
	for _, c := range b {
		if strings.IndexByte(set, c) < 0 {
			return false
		}
	}
	return true
}

func equalLower(b []byte, lower string) bool {
	for i, c := range b {
		if host.ASCIILower(c) != lower[i] {
			return false
		}
	}
	return true
}
