package wagi

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// environ is the environment of a program: RFC 3875's meta-variables (section
// 4.1), and what the Function was given. A meta-variable wins over a variable
// of the same name.
//
// Beyond the RFC there are REQUEST_URI (as the client sent it), REQUEST_SCHEME
// and HTTPS=on, as other servers have them, and X_REQUEST_ID. Absent are
// PATH_TRANSLATED, AUTH_TYPE, REMOTE_USER, REMOTE_IDENT and REMOTE_HOST, which
// the node does not know. SERVER_PROTOCOL is always HTTP/1.1.
func environ(c *host.Call) []string {
	e := &environment{taken: make(map[string]bool)}
	e.request(c)
	e.headers(c)
	e.variables(c.Bindings.Env)
	return e.list
}

type environment struct {
	list  []string
	taken map[string]bool
}

func (e *environment) set(name, value string) {
	e.taken[name] = true
	e.list = append(e.list, name+"="+value)
}

func (e *environment) request(c *host.Call) {
	u := splitURL(string(c.Request.URL))
	e.set("GATEWAY_INTERFACE", "CGI/1.1")
	e.set("SERVER_SOFTWARE", "mayfly")
	e.set("SERVER_PROTOCOL", "HTTP/1.1")
	e.set("SERVER_NAME", u.host)
	e.set("SERVER_PORT", u.port)
	e.set("REQUEST_METHOD", string(c.Request.Method))
	e.set("REQUEST_SCHEME", u.scheme)
	e.set("REQUEST_URI", u.target)
	e.set("SCRIPT_NAME", "") // the program has all paths of its host
	e.set("PATH_INFO", decodePath(u.path))
	e.set("QUERY_STRING", u.query)
	e.set("HTTP_HOST", u.authority)
	e.set("X_REQUEST_ID", c.ID)
	if u.scheme == "https" {
		e.set("HTTPS", "on")
	}
	if client := c.Request.Client; client.IsValid() {
		e.set("REMOTE_ADDR", client.Unmap().String())
	}
	e.event(c)
}

// headers sets CONTENT_TYPE, CONTENT_LENGTH and one HTTP_ variable per name.
func (e *environment) headers(c *host.Call) {
	values := make(map[string][]string)
	var names []string // in the order of the request
	for field, value := range c.Request.Headers.All() {
		name, ok := variableName(field)
		if !ok || name == "HTTP_CONTENT_LENGTH" && !isLength(c, value) {
			continue
		}
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], string(value))
	}
	for _, name := range names {
		switch joined := strings.Join(values[name], separator(name)); name {
		case "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH":
			e.set(strings.TrimPrefix(name, "HTTP_"), joined)
		default:
			e.set(name, joined)
		}
	}
}

func separator(name string) string {
	if name == "HTTP_COOKIE" {
		return "; "
	}
	return ", "
}

// variableName of a header field. Some have none: those of the connection,
// Host, which comes from the URL, Proxy, because programs take HTTP_PROXY for
// their own setting, and names that are not of letters, digits and hyphens
// alone, because X_Y would pass for X-Y.
func variableName(field []byte) (string, bool) {
	name := "HTTP_" + strings.ToUpper(strings.ReplaceAll(string(field), "-", "_"))
	if bytes.ContainsFunc(field, notPlain) || name == "HTTP_HOST" || name == "HTTP_PROXY" {
		return "", false
	}
	return name, name == "HTTP_CONTENT_LENGTH" || !host.IsHopByHop(field)
}

func notPlain(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
}

// isLength reports whether a Content-Length is the length of a body.
func isLength(c *host.Call, value []byte) bool {
	return c.Request.Body != nil && len(value) > 0 && len(bytes.Trim(value, "0123456789")) == 0
}

// reserved are meta-variables that a Function's variables never stand for, even
// when the request has none of that name.
var reserved = slices.Concat(eventVariables, []string{"AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS", "PATH_TRANSLATED",
	"REMOTE_ADDR", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_USER"})

// variables sets what the Function was given, as far as it fits into an
// environment.
func (e *environment) variables(env map[string]host.EnvValue) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value := env[name].Value
		if e.taken[name] || slices.Contains(reserved, name) || !fits(name, value) {
			continue
		}
		e.set(name, value)
	}
}

func fits(name, value string) bool {
	return name != "" && !strings.ContainsAny(name, "=\x00") && !strings.Contains(value, "\x00")
}
