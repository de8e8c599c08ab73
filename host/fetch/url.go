package fetch

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// parseURL reads an absolute http or https URL. It is stricter than RFC 3986
// where parsers differ, so that what is checked here is what is connected to:
// no user information, no white space, backslash, control or non-ASCII
// character, and hosts in one notation only. The fragment is dropped.
func parseURL(text string) (*url.URL, *host.Error) {
	if len(text) > host.MaxURL {
		return nil, host.Errorf(host.CodeInvalid, "URL is longer than %d bytes", host.MaxURL)
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, host.Errorf(host.CodeInvalid, "URL holds the byte %#02x at %d; percent-encode it, and write an international host as xn--", c, i)
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, host.Errorf(host.CodeInvalid, "URL cannot be parsed; it reads like https://example.com/path?query")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, host.Errorf(host.CodeInvalid, "URL must begin with http:// or https://")
	}
	if u.User != nil {
		return nil, host.Errorf(host.CodeInvalid, "URL holds user information; send it in an Authorization header")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, normaliseHost(u)
}

// normaliseHost writes the host in the form in which it is checked.
func normaliseHost(u *url.URL) *host.Error {
	if u.Opaque != "" || u.Host == "" {
		return host.Errorf(host.CodeInvalid, "URL has no host; it reads like https://example.com/path?query")
	}
	port := u.Port()
	if _, ok := parsePort(port); !ok && port != "" || strings.HasSuffix(u.Host, ":") {
		return host.Errorf(host.CodeInvalid, "port of URL is not a number from 1 to 65535")
	}
	name, err := checkHost(u.Hostname(), strings.HasPrefix(u.Host, "["))
	if err != nil {
		return err
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" && port != defaultPort(u.Scheme) {
		name += ":" + port
	}
	u.Host = name
	return nil
}

// checkHost returns a name in lower case without its final dot, or an address
// in canonical notation. An IPv4 address is four decimal numbers: what else
// some parsers take for one (127.1, 0x7f.1, 2130706433) is refused.
func checkHost(name string, bracketed bool) (string, *host.Error) {
	if bracketed {
		addr, err := netip.ParseAddr(name)
		if err != nil || addr.Zone() != "" {
			return "", host.Errorf(host.CodeInvalid, "host of URL is not an IPv6 address without a zone")
		}
		return addr.Unmap().String(), nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !isName(name) {
		return "", host.Errorf(host.CodeInvalid, "host of URL is not a name of letters, digits, hyphens and dots")
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.String(), nil
	}
	if endsInNumber(name) {
		return "", host.Errorf(host.CodeInvalid, "host of URL ends in a number; write an IPv4 address as four decimal numbers")
	}
	return name, nil
}

// isName reports whether s, in lower case, has the form of a host name. The
// underscore is there because such names are in use.
func isName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// endsInNumber is the rule by which browsers take a host for an IPv4 address:
// https://url.spec.whatwg.org/#ends-in-a-number-checker
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, found := strings.CutPrefix(last, "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// parsePort reads 1 to 65535 without sign or leading zero.
func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0 && s[0] != '0' && s[0] != '+'
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}
