package telemetry

import (
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

const redacted = "REDACTED"

// secretParts mark header names whose values are not shown, as Cloudflare has it
// (https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/#tailrequest).
var secretParts = [...]string{"auth", "key", "secret", "token", "jwt"}

func isSecretHeader(name string) bool {
	if name == "cookie" || name == "set-cookie" {
		return true
	}
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// redactedHeaders are the fields of a request, those of one name joined, without
// values that may be secret.
func redactedHeaders(h host.Headers) map[string]string {
	all := map[string]string{}
	for n, v := range h.All() {
		name, value := strings.ToLower(string(n)), string(v)
		if isSecretHeader(name) {
			all[name] = redacted
			continue
		}
		if before, ok := all[name]; ok {
			value = before + ", " + value
		}
		all[name] = value
	}
	return all
}

// redactURL replaces what looks like an id or a token in a URL: 32 hexadecimal
// digits and more, or 21 characters and more with two capitals, two small letters
// and two digits among them.
func redactURL(url string) string {
	var b strings.Builder
	for len(url) > 0 {
		n := 0
		for n < len(url) && isIDByte(url[n]) {
			n++
		}
		switch {
		case n == 0:
			n = 1
			b.WriteString(url[:1])
		case isID(url[:n]):
			b.WriteString(redacted)
		default:
			b.WriteString(url[:n])
		}
		url = url[n:]
	}
	return b.String()
}

func isIDByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '+' || c == '-' || c == '_'
}

func isID(s string) bool {
	const hexLength, mixedLength, ofEach = 32, 21, 2
	if len(s) < mixedLength {
		return false
	}
	var digits, capitals, small, hexDigits, others int
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			digits++
			hexDigits++
		case 'A' <= c && c <= 'Z':
			capitals++
		case 'a' <= c && c <= 'z':
			small++
		}
		switch {
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			hexDigits++
		case 'g' <= c && c <= 'z' || 'G' <= c && c <= 'Z':
			others++
		}
	}
	return hexDigits >= hexLength && others == 0 || digits >= ofEach && capitals >= ofEach && small >= ofEach
}
