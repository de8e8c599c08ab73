package mayfly_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

// serve runs h for one request on a node.
func serve(node *mayflytest.Node, h mayfly.Handler, method, url, body string) *httptest.ResponseRecorder {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	mayfly.Handle(h)
	w := httptest.NewRecorder()
	node.ServeHTTP(w, httptest.NewRequest(method, url, r))
	return w
}

// run runs f where a handler would.
func run(t *testing.T, node *mayflytest.Node, f func()) {
	t.Helper()
	serve(node, func(*mayfly.Request) (*mayfly.Response, error) {
		f()
		return mayfly.Text(200, ""), nil
	}, "GET", "/", "")
}

func wantLog(t *testing.T, node *mayflytest.Node, want ...mayflytest.Entry) {
	t.Helper()
	got := node.Logs()
	if len(got) != len(want) {
		t.Fatalf("log %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("log entry %d: %v, want %v", i, got[i], want[i])
		}
	}
}
