// Package router owns route patterns and the table that finds the route of a
// request. It is pure: no clocks, no input or output, no state beside the
// table. Start reading at Pattern, then Table.
//
// The rules are those of Cloudflare Workers routes
// (https://developers.cloudflare.com/workers/configuration/routing/routes/):
// "[scheme://]host[/path]", where the host may begin with "*" and the path may
// end with "*".
package router

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// maxPattern bounds the length of a pattern in bytes, and with it the work of
// a lookup: prefixes nest at most as deep as the longest one has bytes.
const maxPattern = 1024

// Pattern says which URLs a route matches. ParsePattern makes it; the zero
// Pattern matches nothing and is refused by NewTable. Patterns are immutable
// and comparable: two are equal when they match the same URLs.
type Pattern struct {
	scheme   string // "http" or "https"; empty: both
	host     string // lower case, without the leading "*"
	wildHost bool   // the host began with "*": host is a suffix
	path     string // begins with "/", without the trailing "*"
	wildPath bool   // the path ended with "*": path is a prefix
}

// ParsePattern reads "[scheme://]host[/path]" of at most 1024 bytes.
//
//   - The scheme is http or https; without it the pattern matches both.
//   - The host may begin with "*", which stands for zero or more characters of
//     any kind: "*example.com" also matches "myexample.com", "*.example.com"
//     matches subdomains only, "*" matches every host. Upper and lower case
//     are the same. Ports, IPv6 addresses, a trailing dot and characters
//     beyond ASCII are refused (write the "xn--" form).
//   - The path may end with "*". Upper and lower case differ. No path means
//     "/". A query string is refused; as the path is compared together with
//     the query of the request, only a path that ends with "*" matches a URL
//     that has a query.
//
// Errors say what to write instead.
func ParsePattern(text string) (Pattern, error) {
	p, err := parsePattern(text)
	if err != nil {
		return Pattern{}, fmt.Errorf("route %q: %w", text, err)
	}
	return p, nil
}

func parsePattern(text string) (p Pattern, err error) {
	if text == "" {
		return p, errors.New(`it is empty; write a host and a path such as "example.com/*"`)
	}
	if len(text) > maxPattern {
		return p, fmt.Errorf("it has %d bytes, and at most %d are allowed", len(text), maxPattern)
	}
	rest := text
	if p.scheme, rest, err = cutScheme(text); err != nil {
		return p, err
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	origin := strings.TrimSuffix(text, path)
	if p.host, p.wildHost, err = parsePatternHost(host, strings.TrimSuffix(origin, host), path); err != nil {
		return p, err
	}
	p.path, p.wildPath, err = parsePatternPath(path, origin)
	return p, err
}

// cutScheme takes "http://" or "https://" off text.
func cutScheme(text string) (scheme, rest string, err error) {
	before, after, found := strings.Cut(text, "://")
	if !found || strings.ContainsAny(before, "/?#") {
		return "", text, nil
	}
	switch scheme = strings.ToLower(before); scheme {
	case "http", "https":
		return scheme, after, nil
	}
	return "", "", fmt.Errorf(`scheme %q is neither "http" nor "https"; leave "%s://" out to match both`, before, before)
}

// parsePatternHost reads the host; scheme and path are what stands around it,
// for advice.
func parsePatternHost(host, scheme, path string) (name string, wild bool, err error) {
	rest, wild := strings.CutPrefix(host, "*")
	if last := strings.LastIndexByte(rest, '*'); last >= 0 {
		instead := scheme + "*" + rest[last+1:] + path
		if last == len(rest)-1 {
			instead = scheme + cmp.Or(strings.Trim(host, "*."), "*") + "/*"
		}
		return "", false, fmt.Errorf(`"*" in the host may only stand at its beginning; write %q`, instead)
	}
	switch {
	case wild && rest == "":
		return "", true, nil
	case wild && rest == ".":
		return "", false, fmt.Errorf(`a domain is missing after "*."; write %q to match every host`, scheme+"*"+path)
	}
	dot := ""
	if wild && rest[0] == '.' {
		dot, rest = ".", rest[1:]
	}
	name, err = ParseHost(rest)
	return dot + name, wild, err
}

// parsePatternPath reads the path; origin is what stands before it, for advice.
func parsePatternPath(path, origin string) (prefix string, wild bool, err error) {
	if i := strings.IndexByte(path, '#'); i >= 0 {
		return "", false, fmt.Errorf("a fragment never reaches a server; write %q", origin+path[:i])
	}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		instead := origin + "/" + strings.TrimRight(strings.TrimPrefix(path[:i], "/"), "*") + "*"
		return "", false, fmt.Errorf("a query string cannot be matched; write %q, which matches every query", instead)
	}
	if i := strings.IndexByte(path, '*'); i >= 0 && i < len(path)-1 {
		return "", false, fmt.Errorf(`"*" in the path may only stand at its end; write %q`, origin+path[:i+1])
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] > '~' {
			return "", false, fmt.Errorf("the path has the byte 0x%02x; write it as \"%%%02X\"", path[i], path[i])
		}
	}
	if path == "" {
		return "/", false, nil
	}
	prefix, wild = strings.CutSuffix(path, "*")
	return prefix, wild, nil
}

// String is the pattern as ParsePattern reads it, in its canonical form.
func (p Pattern) String() string {
	s := p.host + p.path
	if p.wildHost {
		s = "*" + s
	}
	if p.wildPath {
		s += "*"
	}
	if p.scheme != "" {
		s = p.scheme + "://" + s
	}
	return s
}

// Host is the host that the pattern names, in lower case, or what follows its "*" if
// it begins with one.
func (p Pattern) Host() (name string, wild bool) { return p.host, p.wildHost }

// MarshalText writes what String returns, so that patterns are strings in JSON.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what ParsePattern reads.
func (p *Pattern) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePattern(string(text))
	return err
}

// Covers reports whether p matches every URL that q matches: a grant of p
// allows the route q.
func (p Pattern) Covers(q Pattern) bool {
	host := p.host == q.host && p.wildHost == q.wildHost ||
		p.wildHost && strings.HasSuffix(q.host, p.host)
	path := p.path == q.path && p.wildPath == q.wildPath ||
		p.wildPath && strings.HasPrefix(q.path, p.path)
	return host && path && (p.scheme == "" || p.scheme == q.scheme)
}
