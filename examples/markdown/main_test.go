package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestRender(t *testing.T) {
	tests := map[string]struct {
		method, source string
		status         int
		want           string
	}{
		"text":   {"POST", "# Hi\n\n*you*", 200, "<h1>Hi</h1>\n<p><em>you</em></p>\n"},
		"strike": {"POST", "~~no~~", 200, "<p><del>no</del></p>\n"},
		"html":   {"POST", "<script>alert(1)</script>", 200, "<!-- raw HTML omitted -->\n"},
		"empty":  {"POST", "", 200, ""},
		"get":    {"GET", "", 405, "POST some Markdown, please\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			new(mayflytest.Node).ServeHTTP(w, httptest.NewRequest(tt.method, "/", strings.NewReader(tt.source)))
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}
