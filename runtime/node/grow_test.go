package node_test

import (
	"context"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// TestGrow makes a node that was alone the first of three. They have all that it had,
// messages of queues too, and take writes.
func TestGrow(t *testing.T) {
	if testing.Short() {
		t.Skip("several nodes take long to start: run it without -short")
	}
	setKeys(t)
	tr := newTrio(t, nil)
	alone := mustStart(t, node.Config{Data: tr.dirs[0], Cluster: &node.Cluster{Embedded: true}})
	f := mustFill(t, alone)
	q, err := alone.Registry().CreateQueue(t.Context(), deploy.Local, "jobs", deploy.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.Registry().Send(t.Context(), q, []host.QueueSend{{ContentType: kv.ContentText, Body: []byte("waits"), Delay: host.NoDelay}}); err != nil {
		t.Fatal(err)
	}
	if err := alone.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	tr.startAll(t)
	eventually(t, "all nodes see all", func() bool { return tr.ready(t) })
	for i, n := range tr.nodes {
		if got := f.wantFilled(t, n); got != f.revision {
			t.Errorf("node %d: the key has the revision %d, and had %d", i, got, f.revision)
		}
	}
	eventually(t, "the message waits", func() bool {
		backlog, err := tr.nodes[1].Registry().Backlog(t.Context(), q)
		return err == nil && backlog.Messages == 1
	})
	eventually(t, "the last node takes writes", func() bool {
		store, err := tr.nodes[2].Registry().Entries(deploy.Local, f.namespace)
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Put(t.Context(), "after", []byte("v"), kv.PutOptions{})
		return err == nil
	})
	mustDeploy(t, tr.nodes[1], "hello", hello("grown"))
	eventually(t, "the first node serves it", func() bool {
		_, body, err := get(tr.nodes[0], "hello.localhost")
		return err == nil && body == "grown"
	})
}
