package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// lifetimes are for responses that do not say how long they may be kept.
// https://developers.cloudflare.com/cache/how-to/configure-cache-status-code/#edge-ttl
var lifetimes = map[int]time.Duration{
	200: 120 * time.Minute, 301: 120 * time.Minute,
	302: 20 * time.Minute, 303: 20 * time.Minute,
	404: 3 * time.Minute, 410: 3 * time.Minute,
}

// longest bounds how long a response is kept.
const longest = 365 * 24 * time.Hour

// keep says how long a response is kept, not at all if that is not positive, and
// with which headers.
func keep(status int, headers host.Headers, now time.Time) (host.Headers, time.Duration) {
	if status == http.StatusPartialContent || status == http.StatusNotModified {
		return nil, 0
	}
	control := directives(headers)
	if _, cookies := headers.Get("set-cookie"); cookies {
		if !namesCookies(control["private"]) && !namesCookies(control["no-cache"]) {
			return nil, 0
		}
		headers = without(headers, "set-cookie")
	}
	for _, name := range []string{"private", "no-cache"} {
		if fields, ok := control[name]; ok && fields == "" {
			return nil, 0
		}
	}
	if _, ok := control["no-store"]; ok {
		return nil, 0
	}
	return without(headers, "cf-cache-status"), min(longest, lifetime(status, headers, control, now))
}

// lifetime is by the first of s-maxage, max-age, Expires and the status.
func lifetime(status int, headers host.Headers, control map[string]string, now time.Time) time.Duration {
	for _, name := range []string{"s-maxage", "max-age"} {
		if text, ok := control[name]; ok {
			seconds, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return 0
			}
			return time.Duration(seconds) * time.Second
		}
	}
	if text, ok := headers.Get("expires"); ok {
		expires, err := http.ParseTime(string(text))
		if err != nil {
			return 0 // RFC 9111, 5.3: it has expired
		}
		return expires.Sub(now)
	}
	return lifetimes[status]
}

// directives are those of Cache-Control, in lower case, with their values.
func directives(headers host.Headers) map[string]string {
	out := map[string]string{}
	text, _ := headers.Joined("cache-control")
	for text != "" {
		var d string
		d, text = nextDirective(text)
		name, value, _ := strings.Cut(strings.TrimSpace(d), "=")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			out[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return out
}

// nextDirective cuts at the first comma that is not quoted.
func nextDirective(text string) (first, rest string) {
	quoted := false
	for i := range len(text) {
		switch text[i] {
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return text[:i], text[i+1:]
			}
		}
	}
	return text, ""
}

func namesCookies(fields string) bool {
	for field := range strings.SplitSeq(fields, ",") {
		if strings.EqualFold(strings.TrimSpace(field), "set-cookie") {
			return true
		}
	}
	return false
}

func without(headers host.Headers, name string) (out host.Headers) {
	for n, v := range headers.All() {
		if !strings.EqualFold(string(n), name) {
			out = out.Add(string(n), string(v))
		}
	}
	return out
}

// answer is what a request with these headers gets of r: all of it, what it asked for
// of it, or that it has not changed.
func answer(r host.CachedResponse, request host.Headers, now time.Time) host.CachedResponse {
	r.Headers = without(without(r.Headers, "age"), "content-length")
	r.Headers = r.Headers.Add("age", strconv.FormatInt(int64(now.Sub(r.Stored)/time.Second), 10))
	r.Headers = r.Headers.Add("cf-cache-status", "HIT")
	if r.Status != http.StatusOK {
		return r
	}
	if unchanged(r.Headers, request) {
		r.Status, r.Body = http.StatusNotModified, nil
		return r
	}
	text, ok := request.Get("range")
	if !ok {
		return r
	}
	from, to, ok := byteRange(string(text), int64(len(r.Body)))
	switch {
	case !ok:
		return r
	case from >= to:
		r.Status = http.StatusRequestedRangeNotSatisfiable
		r.Headers = r.Headers.Add("content-range", "bytes */"+strconv.Itoa(len(r.Body)))
		r.Body = nil
	default:
		r.Status = http.StatusPartialContent
		r.Headers = r.Headers.Add("content-range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(to-1, 10)+"/"+strconv.Itoa(len(r.Body)))
		r.Body = r.Body[from:to]
	}
	return r
}

// unchanged evaluates If-None-Match, or without it If-Modified-Since (RFC 9110,
// 13.2.2).
func unchanged(stored, request host.Headers) bool {
	if tags, ok := request.Joined("if-none-match"); ok {
		tag, has := stored.Get("etag")
		if strings.TrimSpace(tags) == "*" {
			return true
		}
		for t := range strings.SplitSeq(tags, ",") {
			if has && strings.TrimPrefix(strings.TrimSpace(t), "W/") == strings.TrimPrefix(string(tag), "W/") {
				return true
			}
		}
		return false
	}
	since, ok := request.Get("if-modified-since")
	modified, has := stored.Get("last-modified")
	if !ok || !has {
		return false
	}
	then, err := http.ParseTime(string(since))
	changed, modifiedErr := http.ParseTime(string(modified))
	return err == nil && modifiedErr == nil && !changed.After(then)
}

// byteRange reads a range of one part. What is malformed, or has several parts, is
// not ok. It is empty if it has nothing of size bytes.
func byteRange(text string, size int64) (from, to int64, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes=")
	first, last, dash := strings.Cut(text, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 62)
		return max(0, size-int64(n)), size, err == nil
	}
	a, err := strconv.ParseUint(first, 10, 62)
	if err != nil {
		return 0, 0, false
	}
	if last == "" {
		return int64(a), size, true
	}
	b, err := strconv.ParseUint(last, 10, 62)
	return int64(a), min(int64(b)+1, size), err == nil && b >= a
}
