package main

import (
	"net/http/httptest"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestWhoami(t *testing.T) {
	for authorization, want := range map[string]struct {
		status int
		body   string
	}{
		"Bearer alice-token": {200, "alice"},
		"Bearer x":           {401, "no such token\n"},
		"":                   {401, "no such token\n"},
	} {
		r := httptest.NewRequest("GET", "/whoami", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		new(mayflytest.Node).ServeHTTP(w, r)
		if w.Code != want.status || w.Body.String() != want.body {
			t.Errorf("%q: got %d %q, want %d %q", authorization, w.Code, w.Body, want.status, want.body)
		}
	}
}
