package main

import (
	"net/http/httptest"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestGreet(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/api/greet/Ada": {200, "Hello, Ada!\n"},
		"/api/greet/":    {404, "ask for /api/greet/NAME\n"},
		"/api/other":     {404, "ask for /api/greet/NAME\n"},
	} {
		w := httptest.NewRecorder()
		new(mayflytest.Node).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want.status || w.Body.String() != want.body {
			t.Errorf("%s: got %d %q, want %d %q", path, w.Code, w.Body.String(), want.status, want.body)
		}
	}
}
