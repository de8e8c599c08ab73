package router_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/runtime/router"
)

func TestParseHost(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{"Example.COM", "example.com", ""},
		{"localhost", "localhost", ""},
		{"10.0.0.1", "10.0.0.1", ""},
		{"https://example.com", "", `host "https://example.com" is a URL or a path; write the host alone`},
		{"example.com/", "", `host "example.com/" is a URL or a path; write the host alone`},
		{"*.example.com", "", `host "*.example.com" has '*', which cannot stand in a host`},
		{"", "", `the host is missing; write one such as "example.com"`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := router.ParseHost(tt.text)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("got %q, %v, want %q, %s", got, err, tt.want, tt.err)
			}
		})
	}
}
