package main

import (
	"net/http/httptest"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestHello(t *testing.T) {
	w := httptest.NewRecorder()
	new(mayflytest.Node).ServeHTTP(w, httptest.NewRequest("GET", "/some/path?query", nil))
	if got, want := w.Body.String(), "Hello from Mayfly! You asked for /some/path\n"; w.Code != 200 || got != want {
		t.Errorf("got %d %q, want 200 %q", w.Code, got, want)
	}
}
