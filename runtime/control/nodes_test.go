package control_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/cluster"
)

// Remove knows node b, which has ended, and a, which runs.
func (n fixedNodes) Remove(_ context.Context, id string) (cluster.Removal, error) {
	switch id {
	case "b":
		return cluster.Removal{ID: id, State: "removed", NATS: cluster.ServerRemoved, Server: "10.0.0.2:6222", Copying: []string{}}, nil
	case "a":
		return cluster.Removal{}, host.Errorf(host.CodeState, "it runs")
	}
	return cluster.Removal{}, host.Errorf(host.CodeNotFound, "no such node")
}

// TestRemoveNode: who has an account can't remove nodes, and all attempts are recorded.
func TestRemoveNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := newFixture(t, options{audit: path, nodes: fixedNodes{}})
	shop := f.account(t, "shop")
	for _, tt := range []struct {
		id, token string
		status    int
		want      string // of the result
	}{
		{"b", "", 200, `{"id":"b","state":"removed","nats":"removed","server":"10.0.0.2:6222","copying":[]}`},
		{"a", "", 409, "null"},
		{"c", "", 404, "null"},
		{"b", shop, 403, "null"},
	} {
		before := len(mustAudit(t, path))
		a := f.do(t, call{method: "DELETE", path: "/mayfly/nodes/" + tt.id, token: tt.token})
		if a.status != tt.status || string(a.envelope.Result) != tt.want {
			t.Errorf("%+v: got %d, %s", tt, a.status, a.body)
		}
		all := mustAudit(t, path)
		if len(all) != before+1 {
			t.Fatalf("%+v: recorded %+v", tt, all[before:])
		}
		if e := all[before]; tt.token == "" && (e.Action != "DELETE mayfly/nodes/{node}" || e.Target["node"] != tt.id) {
			t.Errorf("%+v: recorded %+v", tt, e)
		}
	}
	alone := newFixture(t, options{})
	if a := alone.do(t, call{method: "DELETE", path: "/mayfly/nodes/b"}); a.status != 404 {
		t.Errorf("without others: got %d, %s", a.status, a.body)
	}
}
