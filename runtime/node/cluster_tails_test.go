package node_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// trapping fails in each request.
func trapping() []byte {
	return guest("", func(map[string]uint32) [][]byte { return [][]byte{hosttest.Unreachable} })
}

// wantTails has a tail, and the list of errors, of any node show what happens at all.
func (tr *trio) wantTails(t *testing.T) {
	t.Helper()
	const script = "/client/v4/accounts/local/workers/scripts/traps"
	mustDeploy(t, tr.nodes[0], "traps", trapping())
	ids := map[string]bool{}
	for _, n := range tr.nodes {
		ids[n.ID()] = true
		eventually(t, "the Function is there", func() bool {
			status, _, err := get(n, "traps.localhost")
			return err == nil && status == 500
		})
	}
	var tail struct{ URL string }
	if status := tr.ask(t, 1, 1, "POST", script+"/tails", &tail); status != 200 {
		t.Fatalf("begin tail: got %d", status)
	}
	conn, _, _, err := ws.Dialer{Protocols: []string{"trace-v1"}}.Dial(t.Context(), tail.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-stopped }()
	go func() { // until all nodes have heard of the tail
		defer close(stopped)
		keepAsking(tr.nodes, "traps.localhost", stop)
	}()
	for shown := map[string]bool{}; !maps.Equal(shown, ids); {
		text, _, err := wsutil.ReadServerData(conn)
		if err != nil {
			t.Fatalf("with %v of %v: read tail: %v", shown, ids, err)
		}
		var event struct{ Node, ScriptName string }
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}
		if event.ScriptName == "traps" {
			shown[event.Node] = true
		}
	}
	eventually(t, "errors of all nodes are listed", func() bool {
		var all []telemetry.Failure
		listed := map[string]bool{}
		status := tr.ask(t, 2, 2, "GET", script+"/errors", &all)
		for _, f := range all {
			listed[f.Node] = true
		}
		return status == 200 && maps.Equal(listed, ids)
	})
}

func keepAsking(nodes []*node.Node, host string, stop <-chan struct{}) {
	for {
		for _, n := range nodes {
			get(n, host) //nolint:errcheck // what it does is seen in the tail
		}
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
