package router

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Lengths of a domain name and of one of its labels in bytes (RFC 1035, 2.3.4).
const (
	maxHost  = 253
	maxLabel = 63
)

// ParseHost checks a host name or IPv4 address and returns it in lower case.
// Letters, digits, "-" and "_" may stand in its labels. Ports, IPv6 addresses,
// a trailing dot, wildcards and characters beyond ASCII are refused with an
// error that says what to write.
func ParseHost(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New(`the host is missing; write one such as "example.com"`)
	case strings.Contains(text, "/"):
		return "", fmt.Errorf("host %q is a URL or a path; write the host alone", text)
	case text[0] == '[' || strings.Count(text, ":") > 1:
		return "", fmt.Errorf("host %q is an IPv6 address; write a name", text)
	case strings.Contains(text, ":"):
		return "", fmt.Errorf("host %q has a port; write %q, which matches every port", text, text[:strings.IndexByte(text, ':')])
	case strings.HasSuffix(text, "."):
		return "", fmt.Errorf("host %q ends with a dot; write %q", text, strings.TrimRight(text, "."))
	case len(text) > maxHost:
		return "", fmt.Errorf("the host has %d bytes, and at most %d are allowed", len(text), maxHost)
	}
	for label := range strings.SplitSeq(text, ".") {
		if err := checkLabel(text, label); err != nil {
			return "", err
		}
	}
	return strings.ToLower(text), nil
}

func checkLabel(host, label string) error {
	if label == "" {
		return fmt.Errorf("host %q has nothing between two dots or before the first", host)
	}
	if len(label) > maxLabel {
		return fmt.Errorf("host %q has a label of %d bytes, and at most %d are allowed", host, len(label), maxLabel)
	}
	for _, r := range label {
		switch {
		case r > '~':
			return fmt.Errorf(`host %q has %q; write its ASCII form, which begins with "xn--"`, host, r)
		case !isHostByte(byte(r)):
			return fmt.Errorf("host %q has %q, which cannot stand in a host", host, r)
		}
	}
	return nil
}

func isHostByte(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendHost appends a request's host in lower case, without its port and
// without one trailing dot, or returns false when it is too long to match.
func appendHost(dst, host []byte) ([]byte, bool) {
	host = cutPort(host)
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	if len(host) > maxHost {
		return nil, false
	}
	for _, c := range host {
		dst = append(dst, lower(c))
	}
	return dst, true
}

// cutPort takes ":" and digits off the end of host. The last colon of a
// bracketed IPv6 address is not followed by digits only.
func cutPort(host []byte) []byte {
	i := bytes.LastIndexByte(host, ':')
	if i < 0 {
		return host
	}
	for _, c := range host[i+1:] {
		if c < '0' || c > '9' {
			return host
		}
	}
	return host[:i]
}
