package wagi

import "strings"

// requestURL is an absolute URL in the pieces that meta-variables are made of,
// all as the client sent them.
type requestURL struct {
	scheme, authority, host, port string
	target                        string // path and query
	path, query                   string
}

func splitURL(url string) requestURL {
	var u requestURL
	u.scheme, u.target, _ = strings.Cut(url, "://")
	end := strings.IndexAny(u.target, "/?")
	if end < 0 {
		end = len(u.target)
	}
	u.authority, u.target = u.target[:end], u.target[end:]
	if !strings.HasPrefix(u.target, "/") {
		u.target = "/" + u.target
	}
	u.path, u.query, _ = strings.Cut(u.target, "?")
	u.host, u.port = splitAuthority(u.authority)
	if u.port == "" {
		u.port = defaultPort(u.scheme)
	}
	return u
}

// splitAuthority leaves the brackets of an IPv6 address in place, as
// SERVER_NAME has them.
func splitAuthority(authority string) (host, port string) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || colon < strings.LastIndexByte(authority, ']') {
		return authority, ""
	}
	return authority[:colon], authority[colon+1:]
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// origin is the scheme and authority of an absolute URL.
func origin(url []byte) string {
	u := splitURL(string(url))
	return u.scheme + "://" + u.authority
}

// decodePath decodes what is percent-encoded, but for %00, which would end the
// variable early, and what is not two hexadecimal digits; those stay as they are.
func decodePath(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if c, ok := decodeByte(path[i:]); ok {
			b = append(b, c)
			i += 2
		} else {
			b = append(b, path[i])
		}
	}
	return string(b)
}

// decodeByte decodes the byte that s begins with, if it is encoded.
func decodeByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	c := high<<4 | low
	return c, high < 16 && low < 16 && c != 0
}

// unhex returns a number above 15 for what is not a hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
