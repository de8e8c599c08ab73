package main

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func send(node *mayflytest.Node, method string) string {
	w := httptest.NewRecorder()
	node.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
	return fmt.Sprint(w.Code, " ", w.Body)
}

func TestCounter(t *testing.T) {
	var node mayflytest.Node
	node.KV("COUNTER")
	for _, tt := range []struct{ method, want string }{
		{"GET", "200 0\n"},
		{"POST", "200 1\n"},
		{"POST", "200 2\n"},
		{"GET", "200 2\n"},
		{"DELETE", "405 GET or POST, please\n"},
	} {
		if got := send(&node, tt.method); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.method, got, tt.want)
		}
	}
}

// TestConflict lets other requests count between the read and the write of this one.
func TestConflict(t *testing.T) {
	var node mayflytest.Node
	kv, others := node.KV("COUNTER"), 3
	kv.BeforePut = func(key string) {
		if others > 0 {
			others--
			kv.Put(key, fmt.Sprint(10-others))
		}
	}
	if got, want := send(&node, "POST"), "200 11\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWithoutBinding(t *testing.T) {
	if got, want := send(new(mayflytest.Node), "GET"), "500 Internal Server Error\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDamagedCount(t *testing.T) {
	var node mayflytest.Node
	node.KV("COUNTER").Put(key, "many")
	if got, want := send(&node, "POST"), "500 Internal Server Error\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
