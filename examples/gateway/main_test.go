package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

// whoami stands for the other Function.
func whoami(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer good" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	io.WriteString(w, "somebody")
}

func TestGateway(t *testing.T) {
	bound := map[string]http.Handler{"AUTH": http.HandlerFunc(whoami)}
	for name, tt := range map[string]struct {
		services map[string]http.Handler
		token    string
		status   int
		body     string
	}{
		"known":   {bound, "Bearer good", 200, "Hello, somebody\n"},
		"unknown": {bound, "Bearer bad", 401, "show a token\n"},
		"unbound": {nil, "Bearer good", 500, "Internal Server Error\n"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", tt.token)
		w := httptest.NewRecorder()
		(&mayflytest.Node{Services: tt.services}).ServeHTTP(w, r)
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: got %d %q, want %d %q", name, w.Code, w.Body, tt.status, tt.body)
		}
	}
}
