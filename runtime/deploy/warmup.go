package deploy

import (
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// maxWarmups bounds how many requests warm a Version up.
const maxWarmups = 16

func (s SnapshotOptions) check() error {
	if len(s.Warmup) > maxWarmups {
		return invalid("%d warm-up requests were given; at most %d are allowed", len(s.Warmup), maxWarmups)
	}
	for _, text := range s.Warmup {
		if _, _, err := parseWarmup(text); err != nil {
			return err
		}
	}
	return nil
}

// parseWarmup reads "METHOD /path".
func parseWarmup(text string) (method, path string, err error) {
	method, path, _ = strings.Cut(text, " ")
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		return "", "", invalid("a warm-up request is a method and a path such as \"GET /\", not %q", text)
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", "", invalid("a warm-up request is a method and a path such as \"GET /\", not %q", text)
	}
	return method, path, nil
}

// Requests are the warm-up requests as a Function at that host sees them.
func (s SnapshotOptions) Requests(hostname string) (list []host.Request, err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	for _, text := range s.Warmup {
		method, path, _ := parseWarmup(text) // checked
		list = append(list, host.Request{
			Method:  []byte(method),
			URL:     []byte("http://" + hostname + path),
			Headers: host.Headers(nil).Add("host", hostname),
		})
	}
	return list, nil
}
