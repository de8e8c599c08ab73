package deploy_test

import (
	"encoding/json"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// TestUnknownFields has a record that a newer version wrote be written by this one:
// what this one does not know stays, and what it removes goes.
func TestUnknownFields(t *testing.T) {
	const record = "node/functions/local/hello"
	n := newNode(t)
	r := n.open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := n.store.Get(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(e.Value, &fields); err != nil {
		t.Fatal(err)
	}
	before := fields["deployments"]
	fields["colour"] = map[string]any{"of": "a newer version"}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.store.Put(t.Context(), record, data, kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	r = n.open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	if e, err = n.store.Get(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	clear(fields)
	if err := json.Unmarshal(e.Value, &fields); err != nil {
		t.Fatal(err)
	}
	if colour, _ := fields["colour"].(map[string]any); colour["of"] != "a newer version" {
		t.Errorf("got %s, want colour in it", e.Value)
	}
	if after, ok := fields["deployments"]; ok && len(after.([]any)) <= len(before.([]any)) {
		t.Errorf("got %s, want another deployment in it", e.Value)
	}
}
