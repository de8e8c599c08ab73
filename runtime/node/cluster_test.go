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
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// eventually waits for what takes time on a busy machine.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// setKeys gives all nodes of a test one key for secrets, and one for their servers.
func setKeys(t *testing.T) {
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	t.Setenv("MAYFLY_CLUSTER_SECRET", secret.NewKey().Encode())
}

// trio are three nodes with a NATS server in each.
type trio struct {
	t     *testing.T // as long as which they run, but for those that it shuts down
	peers []string
	dirs  []string
	nodes []*node.Node
	log   host.LogSink // of Functions; nil for that of the node
}

func (tr *trio) config(i int) node.Config {
	return node.Config{Data: tr.dirs[i], Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Version: "1.2.3",
		GuestLog: tr.log, Cluster: &node.Cluster{Embedded: true, ClusterListen: tr.peers[i], Peers: tr.peers}}
}

func mustTrio(t *testing.T) *trio {
	t.Helper()
	return mustTrioLogging(t, nil)
}

func mustTrioLogging(t *testing.T, log host.LogSink) *trio {
	t.Helper()
	tr := newTrio(t, log)
	tr.startAll(t)
	return tr
}

// newTrio returns three nodes that were not started yet.
func newTrio(t *testing.T, log host.LogSink) *trio {
	t.Helper()
	if testing.Short() {
		t.Skip("three nodes take long to start: run it without -short")
	}
	tr := &trio{t: t, log: log, peers: porttest.Addresses(t, 3), dirs: []string{t.TempDir(), t.TempDir(), t.TempDir()}, nodes: make([]*node.Node, 3)}
	t.Cleanup(tr.stop)
	return tr
}

func (tr *trio) startAll(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for i := range tr.nodes {
		all.Go(func() { tr.start(t, i) })
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
}

// start starts a node. It may be called from other goroutines than the test's.
func (tr *trio) start(t *testing.T, i int) {
	cfg := tr.config(i)
	cfg.Logger = slog.New(slog.NewTextHandler(testLog{tr.t, i}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := node.Start(tr.t.Context(), cfg)
	if err != nil {
		t.Errorf("node %d: %v", i, err)
		return
	}
	tr.nodes[i] = n
}

// stop shuts all nodes down at once: the last one alone would wait for the others.
func (tr *trio) stop() {
	var all sync.WaitGroup
	for _, n := range tr.nodes {
		if n != nil {
			all.Go(func() { n.Shutdown(context.Background()) })
		}
	}
	all.Wait()
}

type testLog struct {
	t    *testing.T
	node int
}

func (l testLog) Write(line []byte) (int, error) {
	if l.t.Context().Err() == nil { // nothing may be logged after a test
		l.t.Logf("node %d: %s", l.node, strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

// ask asks the control API of a node with its own token, or that of another one.
func (tr *trio) ask(t *testing.T, i, token int, method, path string, result any) (status int) {
	t.Helper()
	resp, body := asAdmin(t, tr.nodes[i], tr.dirs[token], method, path, "")
	envelope := struct{ Result any }{result}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// ready reports whether all nodes see all nodes ready.
func (tr *trio) ready(t *testing.T) bool {
	t.Helper()
	for i := range tr.nodes {
		var nodes []cluster.Node
		if status := tr.ask(t, i, i, "GET", "/client/v4/mayfly/nodes", &nodes); status != 200 || len(nodes) != 3 {
			return false
		}
		for _, n := range nodes {
			if n.State != cluster.Ready || n.Version != "1.2.3" {
				return false
			}
		}
	}
	return true
}

// TestClusterOfThree does all of its subtests with the same nodes: three servers take
// long to agree on who leads. They are given a backup first, which has to be into an
// empty cluster.
func TestClusterOfThree(t *testing.T) {
	setKeys(t)
	tr := mustTrio(t)
	eventually(t, "all nodes see all", func() bool { return tr.ready(t) })
	for _, tt := range []struct {
		name string
		test func(*testing.T)
	}{
		{"is healthy", tr.isHealthy},
		{"takes a backup", tr.takesBackup},
		{"has queues", tr.hasQueues},
		{"deploys", tr.deploys},
		{"drains", tr.drains},
	} {
		if !t.Run(tt.name, tt.test) {
			return // what comes next needs what was there before
		}
	}
}

func (tr *trio) isHealthy(t *testing.T) {
	eventually(t, "the first node has all that there is", func() bool {
		var h control.Health
		status := tr.ask(t, 0, 0, "GET", "/healthz", &h)
		return status == 200 && h.Cluster != nil && h.Cluster.Connected && h.Cluster.CopyAge == 0
	})
}

func (tr *trio) drains(t *testing.T) {
	eventually(t, "the third node is drained", func() bool {
		return tr.ask(t, 0, 0, "POST", "/client/v4/mayfly/nodes/"+tr.nodes[2].ID()+"/drain", nil) == 200
	})
	eventually(t, "the third node is out of service", func() bool { return tr.ask(t, 2, 2, "GET", "/healthz", nil) == 503 })
}

// TestOtherKey has a node with another key than its cluster refuse to start.
func TestOtherKey(t *testing.T) {
	first := node.Config{Data: t.TempDir(), Cluster: &node.Cluster{Embedded: true, Listen: porttest.Addresses(t, 1)[0]}}
	key := secret.NewKey()
	t.Setenv("MAYFLY_CLUSTER_SECRET", key.Encode())
	mustStart(t, first)
	second := node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		Cluster: &node.Cluster{URL: []string{"nats://" + first.Cluster.Listen}, User: natsserver.User, Password: key.MAC("mayfly cluster")}}
	_, err := node.Start(t.Context(), second)
	if err == nil || !strings.Contains(err.Error(), "this node has no key") || !strings.Contains(err.Error(), filepath.Join(second.Data, "kek")) {
		t.Fatalf("without a key: got %v", err)
	}
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	if _, err = node.Start(t.Context(), second); err == nil || !strings.Contains(err.Error(), "the cluster's secrets are sealed under key") {
		t.Fatalf("with another key: got %v", err)
	}
	t.Setenv("MAYFLY_KEK", "")
	kek, err := os.ReadFile(filepath.Join(first.Data, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second.Data, "kek"), kek, 0o400); err != nil {
		t.Fatal(err)
	}
	mustStart(t, second)
}

// deploys: what is deployed at one node is served by all, and what a node
// that was away has missed as well.
func (tr *trio) deploys(t *testing.T) {
	served := func(nodes []*node.Node, want string) {
		t.Helper()
		for i, n := range nodes {
			eventually(t, fmt.Sprintf("node %d answers %s", i, want), func() bool {
				_, body, err := get(n, "hello.localhost")
				return err == nil && body == want
			})
		}
	}
	mustDeploy(t, tr.nodes[0], "hello", hello("one"))
	served(tr.nodes, "one")
	mustDeploy(t, tr.nodes[1], "hello", hello("two"))
	served(tr.nodes, "two")
	tr.wantTails(t)
	if err := tr.nodes[2].Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustDeploy(t, tr.nodes[0], "hello", hello("three"))
	served(tr.nodes[:2], "three")
	if tr.start(t, 2); t.Failed() {
		t.FailNow()
	}
	served(tr.nodes, "three")
	if status := tr.ask(t, 0, 2, "GET", "/client/v4/accounts/local/workers/scripts", nil); status != 200 {
		t.Errorf("the token of one node at another: got %d", status)
	}
	eventually(t, "it is deleted", func() bool {
		err := tr.nodes[2].Registry().Delete(t.Context(), deploy.Local, "hello", false)
		return err == nil || strings.Contains(err.Error(), "does not exist") // an attempt that failed may have done it
	})
	for i, n := range tr.nodes {
		eventually(t, fmt.Sprintf("node %d has it no more", i), func() bool {
			status, _, err := get(n, "hello.localhost")
			return err == nil && status == 404
		})
	}
}

// TestStartWithoutCluster has a node start that can't reach its cluster: it serves what
// it knows, and takes no changes.
func TestStartWithoutCluster(t *testing.T) {
	setKeys(t)
	key, err := secret.ParseKey([]byte(os.Getenv("MAYFLY_CLUSTER_SECRET")))
	if err != nil {
		t.Fatal(err)
	}
	listen := porttest.Addresses(t, 1)[0]
	first := mustStart(t, node.Config{Cluster: &node.Cluster{Embedded: true, Listen: listen}})
	cfg := node.Config{Data: t.TempDir(), Cluster: &node.Cluster{URL: []string{"nats://" + listen}, User: natsserver.User, Password: key.MAC("mayfly cluster")}}
	second := mustStart(t, cfg)
	f := mustFill(t, first)
	f.wantFilled(t, second)
	if err := second.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := first.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	second = mustStart(t, cfg)
	if status, body, err := get(second, "tells.localhost"); status != 200 || body != "a secret" {
		t.Errorf("got %d, %q, %v", status, body, err)
	}
	store, err := second.Registry().Entries(deploy.Local, f.namespace)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := store.Get(t.Context(), "k"); err != nil || len(e.Value) != 3<<20 {
		t.Errorf("got %d bytes, %v", len(e.Value), err)
	}
	if _, err := store.Put(t.Context(), "k", nil, kv.PutOptions{}); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a write: got %v, want kv.ErrUnavailable", err)
	}
	if _, err := second.Registry().Deploy(t.Context(), deploy.Local, "new", deploy.Upload{Module: hello("hi")}); !errors.Is(err, kv.ErrUnavailable) && host.CodeOf(err) != host.CodeUnavailable {
		t.Errorf("a deploy: got %v, want kv.ErrUnavailable", err)
	}
}
