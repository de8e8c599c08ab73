package torture_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

// nextProgram builds what stands for the next version of mayfly, once.
var nextProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mayfly-torture-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "mayfly")
	cmd := exec.Command("go", "build", "-ldflags", "-X github.com/mayfly-run/mayfly/cli.version="+nextVersion, "-o", file, "../cli/mayfly")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mayfly: %w\n%s", err, text)
	}
	return file, nil
})

const nextVersion = "v99.0.0"

// balanced are nodes with a NATS server in each, behind what balances load by their
// health.
type balanced struct {
	nodes   []*member
	healthy []atomic.Bool
	open    []atomic.Int64 // requests under way at each

	answered, failed atomic.Int64
}

func mustBalanced(t *testing.T) *balanced {
	t.Helper()
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	t.Setenv("MAYFLY_CLUSTER_SECRET", secret.NewKey().Encode())
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	peers := porttest.Addresses(t, 3)
	list, err := json.Marshal(peers)
	if err != nil {
		t.Fatal(err)
	}
	b := &balanced{healthy: make([]atomic.Bool, 3), open: make([]atomic.Int64, 3)}
	for _, own := range peers {
		b.nodes = append(b.nodes, &member{data: filepath.Join(t.TempDir(), "data"), program: file,
			config: fmt.Sprintf("[cluster]\nembedded = true\ncluster_listen = %q\npeers = %s\n", own, list)})
	}
	var all sync.WaitGroup
	for _, m := range b.nodes {
		all.Go(func() { m.start(t) })
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
	return b
}

// begin begins to ask for health, and to send requests to healthy nodes. The function
// that it returns ends that.
func (b *balanced) begin(t *testing.T) (stop func()) {
	var over atomic.Bool
	var clients sync.WaitGroup
	for i, m := range b.nodes {
		clients.Go(func() {
			for !over.Load() {
				status, _ := m.health()
				b.healthy[i].Store(status == 200)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	for range 4 {
		clients.Go(func() {
			for !over.Load() {
				b.request(t)
			}
		})
	}
	return func() {
		over.Store(true)
		clients.Wait()
	}
}

// request is one to a healthy node.
func (b *balanced) request(t *testing.T) {
	i := rand.IntN(len(b.nodes))
	b.open[i].Add(1)
	defer b.open[i].Add(-1)
	if !b.healthy[i].Load() { // asked after it was counted: nobody is sent to a node that is waited for
		time.Sleep(time.Millisecond)
		return
	}
	if text := b.nodes[i].process.Load().hello(); text != "1" {
		b.failed.Add(1)
		t.Logf("a request failed: %s", text)
		return
	}
	b.answered.Add(1)
}

// upgrade puts another program in the place of a node's, as an operator does.
func (b *balanced) upgrade(t *testing.T, i int, file string) {
	t.Helper()
	m := b.nodes[i]
	other := b.nodes[(i+1)%len(b.nodes)].process.Load().mustClient(t, "local")
	id := strings.TrimSpace(string(readFile(filepath.Join(m.data, "node.id"))))
	eventually(t, "a node is drained", func() bool { return other.DrainNode(t.Context(), id) == nil })
	eventually(t, "no requests come", func() bool { return !b.healthy[i].Load() && b.open[i].Load() == 0 })
	m.process.Load().end(t)
	m.program = file
	if m.start(t); t.Failed() {
		t.FailNow()
	}
	if status, _ := m.health(); status != 503 {
		t.Errorf("a drained node that was restarted: /healthz is %d, want 503 until it is resumed", status)
	}
	eventually(t, "the node is resumed", func() bool { return other.ResumeNode(t.Context(), id) == nil })
	eventually(t, "requests come again", func() bool { return b.healthy[i].Load() })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 3 minutes: %s", what)
		}
	}
}

// TestRollingUpgrade puts another version in the place of each node, one after the
// other, while requests come. None may fail, and nodes of both versions serve what
// either deploys.
func TestRollingUpgrade(t *testing.T) {
	if !long() {
		t.Skip("it builds another version: MAYFLY_TORTURE=1 runs it")
	}
	b := mustBalanced(t)
	file, err := nextProgram()
	if err != nil {
		t.Fatal(err)
	}
	first := b.nodes[0].process.Load()
	first.mustDeploy(t, "local", "hello", saying("1"))
	b.everywhere(t, "hello", "1")
	stop := b.begin(t)
	for i := range b.nodes {
		eventually(t, "requests are answered", func() bool { return b.healthy[i].Load() })
	}
	for i := range b.nodes {
		b.upgrade(t, i, file)
		name := fmt.Sprintf("mixed-%d", i)
		b.nodes[i].process.Load().mustDeploy(t, "local", name, saying(name))
		b.everywhere(t, name, name)
		last := b.nodes[2].process.Load()
		last.mustDeploy(t, "local", name, saying("again"))
		b.everywhere(t, name, "again")
	}
	stop()
	t.Logf("%d requests answered, %d failed", b.answered.Load(), b.failed.Load())
	if b.failed.Load() > 0 || b.answered.Load() < 100 {
		t.Errorf("%d requests failed, and %d were answered; want none and many", b.failed.Load(), b.answered.Load())
	}
	b.checkVersions(t)
}

// everywhere waits until each node has a Function answer with a text.
func (b *balanced) everywhere(t *testing.T, name, text string) {
	t.Helper()
	for i, m := range b.nodes {
		eventually(t, fmt.Sprintf("node %d serves %s", i, name), func() bool { return m.process.Load().says(name) == text })
	}
}

func (b *balanced) checkVersions(t *testing.T) {
	t.Helper()
	var nodes []api.Node
	eventually(t, "all nodes are of the next version", func() bool {
		var err error
		if nodes, err = b.nodes[0].process.Load().mustClient(t, "local").Nodes(t.Context()); err != nil {
			return false
		}
		for _, n := range nodes {
			if n.Version != nextVersion || n.State != "ready" {
				return false
			}
		}
		return len(nodes) == len(b.nodes)
	})
}
