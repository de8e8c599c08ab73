package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func ask(n *mayflytest.Node, method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	n.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestWordcount(t *testing.T) {
	n := new(mayflytest.Node)
	n.KV("COUNTS")
	queue := n.Queue("TEXTS")
	for _, text := range []string{"Tea and milk.", "TEA!"} {
		if status, _ := ask(n, "POST", "/", text); status != 202 {
			t.Fatalf("status %d", status)
		}
	}
	var batch []mayfly.Message
	for _, m := range queue.Take() {
		batch = append(batch, mayfly.Message{ContentType: m.ContentType, Body: m.Body})
	}
	if _, err := n.RunQueue("texts", batch...); err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{"tea": "2\n", "milk": "1\n", "coffee": "0\n"} {
		if _, got := ask(n, "GET", "/"+word, ""); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
	if status, _ := ask(n, "POST", "/", strings.Repeat("x", 128_001)); status != 413 {
		t.Errorf("status %d of a long text", status)
	}
}
