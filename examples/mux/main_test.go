package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestMux(t *testing.T) {
	tests := map[string]struct {
		method, path, body string
		status             int
		contentType, want  string
	}{
		"hello":        {"GET", "/hello/you", "", 200, "application/json", "{\"hello\":\"you\"}\n"},
		"sum":          {"POST", "/sum", "[1, 2.5]", 200, "application/json", "{\"sum\":3.5}\n"},
		"bad sum":      {"POST", "/sum", "[", 400, "application/json", "{\"error\":\"unexpected EOF\"}\n"},
		"ticks":        {"GET", "/ticks", "", 200, "text/plain; charset=utf-8", "tick 1\ntick 2\ntick 3\ntick 4\ntick 5\n"},
		"not found":    {"GET", "/", "", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"wrong method": {"GET", "/sum", "", 405, "text/plain; charset=utf-8", "Method Not Allowed\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // ticks take no time here
				w := httptest.NewRecorder()
				new(mayflytest.Node).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
				if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType || w.Body.String() != tt.want {
					t.Errorf("got %d %q %q", w.Code, w.Header().Get("Content-Type"), w.Body)
				}
			})
		})
	}
}
