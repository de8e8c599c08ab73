package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// post asks the control API of a node, and decodes its result.
func (tr *trio) post(t *testing.T, i int, path, body string, result any) (status int) {
	t.Helper()
	return post(t, tr.nodes[i], tr.dirs[i], path, body, result)
}

func post(t *testing.T, n *node.Node, data, path, body string, result any) (status int) {
	t.Helper()
	resp, text := asAdmin(t, n, data, "POST", "/client/v4/accounts/local/queues"+path, body)
	envelope := struct{ Result any }{result}
	if err := json.Unmarshal([]byte(text), &envelope); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// hasQueues: a message goes from one node of a cluster to another, and what the one that
// has it says, a third one may.
func (tr *trio) hasQueues(t *testing.T) {
	var q struct {
		ID string `json:"queue_id"`
	}
	eventually(t, "there is a queue", func() bool { // also by an attempt that was not answered
		tr.post(t, 0, "", `{"queue_name":"jobs"}`, &q)
		made, err := tr.nodes[0].Registry().QueueNamed(deploy.Local, "jobs")
		q.ID = made.ID
		return err == nil
	})
	eventually(t, "it has a consumer", func() bool {
		tr.post(t, 0, "/"+q.ID+"/consumers", `{"type":"http_pull"}`, nil)
		made, err := tr.nodes[0].Registry().QueueNamed(deploy.Local, "jobs")
		return err == nil && made.Consumer != nil
	})
	eventually(t, "the second node takes a message", func() bool {
		return tr.post(t, 1, "/"+q.ID+"/messages", `{"body":"hello","content_type":"text"}`, nil) == 200
	})
	var got struct {
		Messages []struct {
			Body  string
			Lease string `json:"lease_id"`
		}
	}
	eventually(t, "the third node gives it out", func() bool {
		return tr.post(t, 2, "/"+q.ID+"/messages/pull", `{"visibility_timeout_ms":3600000}`, &got) == 200 && len(got.Messages) == 1
	})
	if got.Messages[0].Body != "hello" {
		t.Errorf("got %+v", got)
	}
	var acked struct{ AckCount int }
	attempts := 0
	eventually(t, "the first node acknowledges it", func() bool {
		attempts++
		return tr.post(t, 0, "/"+q.ID+"/messages/ack", `{"acks":[{"lease_id":"`+got.Messages[0].Lease+`"}]}`, &acked) == 200
	})
	if attempts == 1 && acked.AckCount != 1 { // else an earlier one may have done it
		t.Errorf("acknowledge on the first node: %+v", acked)
	}
	eventually(t, "nothing is left", func() bool {
		backlog, err := tr.nodes[2].Registry().QueueNamed("local", "jobs")
		if err != nil {
			return false
		}
		stats, err := tr.nodes[2].Registry().Backlog(t.Context(), backlog)
		return err == nil && stats.Messages == 0
	})
}

// countWorker notes in KV how often each message came.
const countWorker = `export default { async queue(batch, env) {
  for (const m of batch.messages) await env.STORE.put("seen-" + m.body, String(m.attempts));
} };`

// A node that is restarted goes on with what was sent, and its Functions consume it.
func TestQueueAfterRestart(t *testing.T) {
	dir := t.TempDir()
	n := mustStart(t, node.Config{Data: dir})
	ctx, r := t.Context(), n.Registry()
	ns, err := r.CreateNamespace(ctx, "local", "seen")
	if err != nil {
		t.Fatal(err)
	}
	p := js.Program{Main: "index.js", Modules: []js.Source{{Name: "index.js", Type: js.TypeModule, Data: []byte(countWorker)}}}
	module, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	settings := deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "STORE", ID: ns.ID}}}
	if _, err := r.Deploy(ctx, "local", "counter", deploy.Upload{Module: module, Settings: settings}); err != nil {
		t.Fatal(err)
	}
	q, err := r.CreateQueue(ctx, "local", "jobs", deploy.QueueSettings{Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddConsumer(ctx, "local", q.ID, deploy.QueueConsumer{Type: deploy.ConsumerWorker, Function: "counter", Settings: deploy.ConsumerSettings{BatchTimeout: new(int64)}}); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := r.Send(ctx, q, []host.QueueSend{{ContentType: kv.ContentJSON, Body: []byte(fmt.Sprint(i)), Delay: host.NoDelay}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	n = mustStart(t, node.Config{Data: dir})
	r = n.Registry()
	if _, err := r.SetQueue(ctx, "local", q.ID, func(s *deploy.QueueSettings) { s.Paused = false }); err != nil {
		t.Fatal(err)
	}
	seen, err := r.Entries("local", ns.ID)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all messages have been consumed", func() bool {
		page, err := seen.List(ctx, kv.ListOptions{Prefix: "seen-"})
		return err == nil && len(page.Entries) == 5
	})
}
