package fetch

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

const maxHeader = 128 << 10 // bytes of a request's names and values

// requestHeader is what of a guest's headers is sent. Silently dropped, so that
// a Function may pass on the headers that it was sent, are hop-by-hop fields
// and those that Connection names, and what the Node or a proxy vouches for.
// Asking for a WebSocket is refused: its answer could not be what was asked for.
func requestHeader(h host.Headers) (http.Header, *host.Error) {
	if len(h) > maxHeader {
		return nil, host.Errorf(host.CodeInvalid, "headers are longer than %d bytes", maxHeader)
	}
	if err := h.Check(); err != nil {
		return nil, err
	}
	out := make(http.Header)
	var connection []string
	for name, value := range h.All() {
		switch key := http.CanonicalHeaderKey(string(name)); {
		case key == "Upgrade" && strings.Contains(strings.ToLower(string(value)), "websocket"):
			return nil, host.Errorf(host.CodeInvalid, "fetch cannot open a WebSocket; leave the Upgrade header out")
		case key == "Connection":
			connection = append(connection, string(value))
		case !host.IsHopByHop(name) && !isReserved(key):
			out[key] = append(out[key], string(value))
		}
	}
	dropNamed(out, connection)
	if _, found := out["User-Agent"]; !found {
		out["User-Agent"] = []string{""} // or else net/http sends its own
	}
	return out, nil
}

// setTrace adds the trace that a request belongs to.
func setTrace(header http.Header, req *host.FetchRequest) {
	if req.OwnTrace || req.TraceParent == "" {
		return
	}
	header.Set("Traceparent", req.TraceParent)
	header.Del("Tracestate")
	if req.TraceState != "" {
		header.Set("Tracestate", req.TraceState)
	}
}

// isReserved reports whether upstreams may take a field as the Node's word.
func isReserved(key string) bool {
	switch key {
	case "Host", "Cdn-Loop", "Via", "Forwarded", "X-Real-Ip", "Expect":
		return true
	}
	return strings.HasPrefix(key, "X-Forwarded-")
}

// dropNamed removes the fields that Connection declares hop-by-hop (RFC 9110,
// section 7.6.1).
func dropNamed(h http.Header, connection []string) {
	for _, value := range connection {
		for name := range strings.SplitSeq(value, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
}

// responseHeaders passes a response's fields on, in the order of their names.
// Content-Length stays: the body is as it was sent, and its size is of use.
// Names with a space, which net/http accepts, are dropped.
func responseHeaders(h http.Header) (host.Headers, bool) {
	dropNamed(h, h["Connection"])
	var out host.Headers
	for _, key := range slices.Sorted(maps.Keys(h)) {
		name := strings.ToLower(key)
		if !isToken(name) || host.IsHopByHop([]byte(name)) && name != "content-length" {
			continue
		}
		for _, value := range h[key] {
			if strings.ContainsFunc(value, isControl) { // NUL would begin another field
				return nil, false
			}
			out = out.Add(name, strings.Trim(value, " \t"))
		}
	}
	return out, true
}

// checkMethod refuses what has a meaning only for proxies, or a body of secrets.
func checkMethod(method string) *host.Error {
	switch {
	case !isToken(method):
		return host.Errorf(host.CodeInvalid, "method is not an HTTP token such as GET")
	case strings.EqualFold(method, "CONNECT"), strings.EqualFold(method, "TRACE"):
		return host.Errorf(host.CodeInvalid, "method %s is not available to Functions", strings.ToUpper(method))
	}
	return nil
}

const tokenChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func isToken(s string) bool { return s != "" && strings.Trim(s, tokenChars) == "" }

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
