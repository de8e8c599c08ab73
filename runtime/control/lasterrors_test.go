package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// fixedNodes are the nodes of a cluster.
type fixedNodes struct {
	control.Nodes
	list []cluster.Node
}

func (n fixedNodes) List(context.Context) ([]cluster.Node, error) { return n.list, nil }

// answering is a network in which node b answers each question: it has more failures
// than this one.
type answering struct{ subscribed map[string]func([]byte) }

func (b answering) Subscribe(subject string, deliver func([]byte)) (func(), error) {
	b.subscribed[subject] = deliver
	return func() {}, nil
}

func (b answering) Publish(subject string, data []byte) error {
	if subject == "failures.ask" {
		var asked struct{ ID string }
		if err := json.Unmarshal(data, &asked); err != nil {
			return err
		}
		b.subscribed["failures.answer.a"](fmt.Appendf(nil, `{"id":%q,"node":"b","account":"local","function":"hello","parts":1,"short":true,"failures":[{"time":"2031-05-06T07:08:09Z","name":"Error"}]}`, asked.ID))
	}
	return nil
}

// TestErrorsOfAllNodes: those of the others are listed, and beside the list the nodes of
// which something is missing. One that says nothing of itself is not waited for.
func TestErrorsOfAllNodes(t *testing.T) {
	nodes := fixedNodes{list: []cluster.Node{{ID: "a", State: cluster.Ready}, {ID: "b", State: cluster.Draining}, {ID: "c", State: cluster.Behind}}}
	f := newFixture(t, options{nodes: nodes, bus: answering{map[string]func([]byte){}}})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	f.happen(t)
	a := f.do(t, call{method: "GET", path: scripts + "/hello/errors"})
	var got struct {
		Result   []telemetry.Failure
		Messages []struct{ Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("got %d %s, %v", a.status, a.body, err)
	}
	if len(got.Result) != 2 || got.Result[0].Node != "b" || got.Result[1].Node != "a" {
		t.Errorf("got %+v", got.Result)
	}
	want := []string{"node b has more than could be sent: the oldest that failed there are not listed", "node c did not answer: what failed there is not listed"}
	if len(got.Messages) != 2 || got.Messages[0].Message != want[0] || got.Messages[1].Message != want[1] {
		t.Errorf("got %+v, want %q", got.Messages, want)
	}
}

// A node alone says nothing of others.
func TestErrorsOfNodeAlone(t *testing.T) {
	f := newFixture(t, options{nodes: fixedNodes{list: []cluster.Node{{ID: "a", State: cluster.Ready}}}})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	f.happen(t)
	a := f.do(t, call{method: "GET", path: scripts + "/hello/errors"})
	var got struct {
		Result   []telemetry.Failure
		Messages []any
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Result) != 1 || got.Result[0].Node != "" || len(got.Messages) != 0 {
		t.Errorf("got %s, %v", a.body, err)
	}
}
