package assets

import (
	"net/http"
	"strconv"
	"strings"
)

// etag is strong: it is of the bytes that are sent, and so differs between a file
// and its encoded forms (RFC 9110, section 8.8.3).
func etag(c *Content) string { return `"` + c.Digest.String()[:32] + `"` }

// matchesTag compares an If-None-Match field with a tag, weakly (RFC 9110, section
// 13.1.2).
func matchesTag(field, tag string) bool {
	if field == "" {
		return false
	}
	for one := range strings.SplitSeq(field, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// ranged says whether a request is one for a part of what has this tag. Ranges
// are those of GET only, and If-Range wants a strong tag (RFC 9110, sections 13.1.5
// and 14.2).
func (r *Request) ranged(tag string) bool {
	return r.Method == http.MethodGet && r.Range != "" && (r.IfRange == "" || r.IfRange == tag)
}

// parseRange reads a Range field for something of size bytes: from up to, without,
// to. It is empty if the range lies outside. What is no range of bytes, or several,
// was not asked for: the whole is an answer to these, too (RFC 9110, section 14.2).
func parseRange(field string, size int64) (from, to int64, asked bool) {
	unit, spec, ok := strings.Cut(field, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Contains(spec, ",") {
		return 0, 0, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, 0, false
	}
	if first == "" {
		n, ok := parsePosition(last)
		return size - min(n, size), size, ok
	}
	from, ok = parsePosition(first)
	if !ok || last == "" {
		return from, size, ok
	}
	to, ok = parsePosition(last)
	if !ok || to < from {
		return 0, 0, false
	}
	return from, min(to+1, size), true
}

// maxPosition is beyond the end of any file, and far from overflowing.
const maxPosition = 1 << 62

func parsePosition(s string) (n int64, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return maxPosition, true // a number, and a large one
	}
	return min(n, maxPosition), true
}

// choose is the form of a file that is sent: the smallest that the client takes.
// Ranges are of the file itself.
func (f *File) choose(r *Request) (c *Content, encoding string) {
	if r.AcceptEncoding == "" || r.Range != "" || len(f.Encoded) == 0 {
		return &f.Content, ""
	}
	for i := range f.Encoded {
		if e := &f.Encoded[i]; accepts(r.AcceptEncoding, e.Encoding) {
			return &e.Content, e.Encoding
		}
	}
	return &f.Content, ""
}

// accepts says whether an Accept-Encoding field allows an encoding (RFC 9110,
// section 12.5.3). Which one a client likes best says little, and is not asked.
func accepts(field, encoding string) bool {
	any := false
	for one := range strings.SplitSeq(field, ",") {
		name, params, _ := strings.Cut(one, ";")
		name = strings.TrimSpace(name)
		if strings.EqualFold(name, encoding) || encoding == "gzip" && strings.EqualFold(name, "x-gzip") {
			return positive(params)
		}
		any = any || name == "*" && positive(params)
	}
	return any
}

// positive says whether the weight among parameters is more than 0. One that can't
// be read counts as 0.
func positive(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err == nil && q > 0 && q <= 1
		}
	}
	return true
}
