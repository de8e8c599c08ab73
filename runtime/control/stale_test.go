package control_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/control"
)

// TestStale tries all routes of a node that does not hear of changes any more.
func TestStale(t *testing.T) {
	f := newFixture(t, options{stale: func() error { return host.Errorf(host.CodeUnavailable, "ask another node") }})
	f.account(t, "acme")
	namespace := f.namespace(t, "acme")
	id := namespace[strings.LastIndexByte(namespace, '/')+1:]
	refused := 0
	for _, rt := range control.Routes() {
		method, path := rt[0], rt[1]
		goesOn := method == "GET" || strings.Contains(path, "/tails") || strings.Contains(path, "/values/") || strings.Contains(path, "/bulk")
		a := f.do(t, call{method: method, path: filled(path, "acme", id), body: "{}"})
		is := a.status == 503 && strings.Contains(a.body, "ask another node") && a.header.Get("Retry-After") == "10"
		if is == goesOn {
			t.Errorf("%s %s: got %d %s, Retry-After %q; refused is to be %v", method, path, a.status, a.body, a.header.Get("Retry-After"), !goesOn)
		}
		if is {
			refused++
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}
