package mayflytest

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// framing are the fields that a node drops in both directions.
var framing = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "te": true,
	"trailer": true, "transfer-encoding": true, "upgrade": true, "content-length": true,
}

// fromHeader gives the fields as a node does, but sorted: the order is lost in
// an http.Header.
func fromHeader(h http.Header) []host.Field {
	var fields []host.Field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lower := strings.ToLower(name)
		if framing[lower] {
			continue
		}
		for _, value := range h[name] {
			fields = append(fields, host.Field{lower, value})
		}
	}
	return fields
}

func setHeader(h http.Header, fields []host.Field) {
	for _, f := range fields {
		if !framing[strings.ToLower(f[0])] {
			h.Add(f[0], f[1])
		}
	}
}

// checkHead refuses what a node refuses.
func checkHead(status int, fields []host.Field) error {
	if status < 200 || status > 599 {
		return &host.Error{Code: host.Invalid, Message: "status must be 200 to 599"}
	}
	return checkFields(fields)
}

func checkFields(fields []host.Field) error {
	if _, err := host.AppendFields(nil, fields); err != nil {
		return err
	}
	for _, f := range fields {
		if f[0] == "" || strings.ContainsFunc(f[0], notToken) {
			return &host.Error{Code: host.Invalid, Message: "header name " + f[0] + " is not a token"}
		}
		if strings.ContainsFunc(f[1], control) || strings.Trim(f[1], " \t") != f[1] {
			return &host.Error{Code: host.Invalid, Message: "value of header " + f[0] + " has control characters or white space around it"}
		}
	}
	return nil
}

// notToken: RFC 9110, section 5.6.2.
func notToken(r rune) bool {
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r) &&
		!(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
