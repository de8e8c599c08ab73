package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// behind is how far triggers are that lag.
type behind struct{}

func (behind) State(context.Context, deploy.KVTrigger) (trigger.KVTriggerState, error) {
	return trigger.KVTriggerState{Waiting: 3, Retrying: 1, Oldest: epoch, Error: "it broke", Node: "n1"}, nil
}

func TestKVTriggers(t *testing.T) {
	f := newFixture(t, options{changes: behind{}})
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil)
	m.Func("kv", nil, nil, nil)
	f.ok(t, upload(t, "local", "a", `{"main_module":"main.wasm"}`, string(m.Bytes())), nil)
	ns, err := f.registry.CreateNamespace(t.Context(), "local", "data")
	if err != nil {
		t.Fatal(err)
	}
	type triggers struct {
		List []struct {
			ID, Prefix, Error, Node string
			NamespaceID             string     `json:"namespace_id"`
			MaxRetries              int        `json:"max_retries"`
			OnFailure               *struct{}  `json:"on_failure"`
			Created                 time.Time  `json:"created_on"`
			Oldest                  *time.Time `json:"oldest"`
			Waiting, Retrying       int
		} `json:"kv_triggers"`
	}
	const path = scripts + "/a/kv-triggers"
	var got triggers
	f.ok(t, call{method: "PUT", path: path, body: `[{"namespace_id":"` + ns.ID + `","prefix":"a/","max_retries":2}]`}, &got)
	if len(got.List) != 1 {
		t.Fatalf("got %+v", got)
	}
	if g := got.List[0]; g.ID == "" || g.NamespaceID != ns.ID || g.Prefix != "a/" || g.MaxRetries != 2 || g.OnFailure != nil || g.Created.IsZero() ||
		g.Waiting != 3 || g.Retrying != 1 || !g.Oldest.Equal(epoch) || g.Error != "it broke" || g.Node != "n1" {
		t.Errorf("got %+v", g)
	}
	f.refused(t, call{method: "PUT", path: path, body: `[{"binding":"DATA"}]`}, 400, 10021, `KV trigger: Function a has no KV namespace bound as "DATA"`)
	f.refused(t, call{method: "PUT", path: path, body: `{}`}, 400, 10021, "the body's JSON has a object where slice is expected: ")
	f.refused(t, call{method: "GET", path: scripts + "/nobody/kv-triggers"}, 404, 10007, `Function "nobody" does not exist in account local`)
	got = triggers{}
	f.ok(t, call{method: "GET", path: path}, &got)
	if len(got.List) != 1 {
		t.Errorf("got %+v", got)
	}
	got = triggers{}
	f.ok(t, call{method: "PUT", path: path, body: `[]`}, &got)
	if got.List == nil || len(got.List) != 0 {
		t.Errorf("got %+v", got)
	}
}
