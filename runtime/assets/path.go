package assets

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// normalize resolves dot segments of an encoded path that begins with "/", and
// encodes what the URL standard wants encoded in paths
// (https://url.spec.whatwg.org/#path-state).
func normalize(path string) string {
	if !needsNormalizing(path) {
		return path
	}
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(segment, "%2e", "."), "%2E", ".")) {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			out = out[:max(0, len(out)-1)]
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, escape(segment, pathSet))
		}
	}
	return "/" + strings.Join(out, "/")
}

// needsNormalizing is false for most paths, which are left alone.
func needsNormalizing(path string) bool {
	for i := range len(path) {
		c := path[i]
		if pathSet(c) || c == '/' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == '%') {
			return true
		}
	}
	return false
}

// pathSet are the bytes that are encoded in a path.
func pathSet(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?^`{}", c) >= 0
}

// querySet are those of a query, and of a fragment.
func querySet(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>'", c) >= 0
}

// notUnreserved are the bytes that ECMAScript's encodeURIComponent encodes.
func notUnreserved(c byte) bool {
	letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return !letter && strings.IndexByte("-_.!~*'()", c) < 0
}

func escape(s string, in func(byte) bool) string {
	n := 0
	for i := range len(s) {
		if in(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; in(c) {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// decodePath is what a request's path is looked for as. A segment that does not
// decode to UTF-8 stands for itself. Slashes in a row are one, so that no redirect
// to such a path leads to another host.
func decodePath(path string) string {
	if strings.IndexByte(path, '%') >= 0 {
		segments := strings.Split(path, "/")
		for i, segment := range segments {
			if text, err := url.PathUnescape(segment); err == nil && utf8.ValidString(text) {
				segments[i] = text
			}
		}
		path = strings.Join(segments, "/")
	}
	return oneSlash(path)
}

func oneSlash(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// encodePath is the one form of a path at which a file is served.
func encodePath(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool { return r != '/' && (r >= 0x80 || notUnreserved(byte(r))) }) {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = escape(segment, notUnreserved)
	}
	return strings.Join(segments, "/")
}
