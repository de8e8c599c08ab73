package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// more starts another node, which is told of all addresses there ever were.
func (tr *trio) more(t *testing.T, address string) {
	t.Helper()
	tr.peers, tr.dirs, tr.nodes = append(tr.peers, address), append(tr.dirs, t.TempDir()), append(tr.nodes, nil)
	if tr.start(t, len(tr.nodes)-1); t.Failed() {
		t.FailNow()
	}
}

func (tr *trio) end(t *testing.T, i int) {
	t.Helper()
	if err := tr.nodes[i].Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// remove asks a node to remove another one.
func (tr *trio) remove(t *testing.T, i int, id string) (status int, done cluster.Removal, problem string) {
	t.Helper()
	resp, body := asAdmin(t, tr.nodes[i], tr.dirs[i], "DELETE", "/client/v4/mayfly/nodes/"+id, "")
	var envelope struct {
		Result *cluster.Removal
		Errors []struct{ Message string }
	}
	envelope.Result = &done
	if err := json.Unmarshal([]byte(body), &envelope); err != nil {
		t.Fatal(err)
	}
	if len(envelope.Errors) > 0 {
		problem = envelope.Errors[0].Message
	}
	return resp.StatusCode, done, problem
}

func (tr *trio) wantRefused(t *testing.T, i int, id string, status int, why string) {
	t.Helper()
	var got string
	eventually(t, "it is refused: "+why, func() bool {
		s, _, problem := tr.remove(t, i, id)
		if now := fmt.Sprint(s, " ", problem); now != got {
			t.Log("remove: ", now)
			got = now
		}
		return s == status && strings.Contains(problem, why)
	})
}

// mustRemove removes a node, and waits until the others have all that it had.
func (tr *trio) mustRemove(t *testing.T, i, gone int) {
	t.Helper()
	id, got := tr.nodes[gone].ID(), ""
	eventually(t, "it is removed", func() bool {
		status, done, problem := tr.remove(t, i, id)
		if now := fmt.Sprint(status, done, problem); now != got {
			t.Log("remove: ", now)
			got = now
		}
		return status == 200 && len(done.Copying) == 0 && done.NATS == cluster.ServerRemoved && done.Server == tr.peers[gone]
	})
}

// states are what a node says of all.
func (tr *trio) states(t *testing.T, i int) map[string]string {
	t.Helper()
	var nodes []cluster.Node
	tr.ask(t, i, i, "GET", "/client/v4/mayfly/nodes", &nodes)
	states := map[string]string{}
	for _, n := range nodes {
		states[n.ID] = n.State
	}
	return states
}

// acknowledged are the keys that were written for certain.
type acknowledged struct {
	namespace string
	count     int
}

func (a *acknowledged) write(t *testing.T, n *node.Node, more int) {
	t.Helper()
	for range more {
		a.count++
		patiently(t, func() error {
			store, err := n.Registry().Entries(deploy.Local, a.namespace)
			if err != nil {
				return err
			}
			_, err = store.Put(t.Context(), fmt.Sprint("k", a.count), []byte(fmt.Sprint("v", a.count)), kv.PutOptions{})
			return err
		})
	}
}

func (a *acknowledged) want(t *testing.T, n *node.Node) {
	t.Helper()
	var store kv.Store
	eventually(t, "the node has the namespace", func() (is bool) {
		var err error
		store, err = n.Registry().Entries(deploy.Local, a.namespace)
		return err == nil
	})
	for i := 1; i <= a.count; i++ {
		patiently(t, func() error {
			e, err := kv.GetStrong(t.Context(), store, fmt.Sprint("k", i))
			if err == nil && string(e.Value) != fmt.Sprint("v", i) {
				t.Errorf("key %d: got %q", i, e.Value)
			}
			return err
		})
	}
}

func mustNamespace(t *testing.T, n *node.Node) *acknowledged {
	t.Helper()
	var a acknowledged
	patiently(t, func() error {
		ns, err := n.Registry().CreateNamespace(t.Context(), deploy.Local, "data")
		a.namespace = ns.ID
		return err
	})
	return &a
}

// TestRemoveNode has one of three nodes be lost for good, and another take its place. The
// lost one is told when it comes back.
func TestRemoveNode(t *testing.T) {
	setKeys(t)
	addresses := porttest.Addresses(t, 4)
	tr := newTrio(t, nil)
	tr.peers = addresses[:3:3]
	tr.startAll(t)
	eventually(t, "all nodes see all", func() bool { return tr.ready(t) })
	a := mustNamespace(t, tr.nodes[0])
	a.write(t, tr.nodes[0], 10)
	lost := tr.nodes[2].ID()
	tr.wantRefused(t, 0, lost, 409, "it runs")
	tr.wantRefused(t, 0, tr.nodes[0].ID(), 409, "it is the one that was asked")
	tr.wantRefused(t, 0, "nowhere", 404, "there is no node")
	tr.end(t, 2)
	eventually(t, "the node that ended is on the list", func() bool { return tr.states(t, 0)[lost] == cluster.Behind })
	tr.wantRefused(t, 0, lost, 409, "2 servers would be there")
	tr.more(t, addresses[3])
	tr.mustRemove(t, 1, 2)
	eventually(t, "it is off the list", func() bool { _, there := tr.states(t, 3)[lost]; return !there })
	a.write(t, tr.nodes[3], 10)
	wantRemoved(t, tr.config(2))
	tr.end(t, 1)
	a.write(t, tr.nodes[0], 10)
	a.want(t, tr.nodes[3])
}

// wantRemoved starts a node that was removed. A busy cluster may tell it a little later.
func wantRemoved(t *testing.T, cfg node.Config) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	n, err := node.Start(t.Context(), cfg)
	if err == nil {
		waitRemoved(t, cfg)
		if err := n.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		_, err = node.Start(t.Context(), cfg)
	}
	if _, removed := errors.AsType[*cluster.RemovedError](err); !removed {
		t.Errorf("start of a node that was removed: got %v", err)
	}
	if _, err := node.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "was removed from its cluster on 2") {
		t.Errorf("start of a node that knows it was removed: got %v", err)
	}
}

func waitRemoved(t *testing.T, cfg node.Config) {
	t.Helper()
	eventually(t, "the node knows that it was removed", func() bool {
		_, err := os.Stat(filepath.Join(cfg.Data, "removed"))
		return err == nil
	})
}

// TestRemovedWhileRunning has a node that runs learn that it was removed: it goes out of
// service, and changes nothing any more.
func TestRemovedWhileRunning(t *testing.T) {
	setKeys(t)
	key, err := secret.ParseKey([]byte(os.Getenv("MAYFLY_CLUSTER_SECRET")))
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Data: t.TempDir(), Cluster: &node.Cluster{Embedded: true, Listen: porttest.Addresses(t, 1)[0]}}
	tr := &trio{nodes: []*node.Node{mustStart(t, cfg)}, dirs: []string{cfg.Data}}
	store, err := natskv.Open(t.Context(), natskv.Config{URL: "nats://" + cfg.Cluster.Listen, Dir: t.TempDir(), Join: true, Wait: time.Minute,
		Options: []nats.Option{nats.UserInfo(natsserver.User, key.MAC("mayfly cluster"))}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Put(t.Context(), "node/removed/"+tr.nodes[0].ID(), []byte(`{"since": "2026-01-02T03:04:05Z"}`), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	waitRemoved(t, cfg)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/healthz", 503},
		{"GET", "/readyz", 503},
		{"GET", "/client/v4/mayfly/nodes", 200},
		{"POST", "/client/v4/mayfly/nodes/" + tr.nodes[0].ID() + "/drain", 503},
	} {
		if got := tr.ask(t, 0, 0, tt.method, tt.path, nil); got != tt.status {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.path, got, tt.status)
		}
	}
	tr.end(t, 0)
	cfg.Listen, cfg.Admin = "127.0.0.1:0", "127.0.0.1:0"
	wantRemoved(t, cfg)
}
