package node_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
)

func mustWorker(t *testing.T, source string) []byte {
	t.Helper()
	p := js.Program{Main: "index.js", Modules: []js.Source{{Name: "index.js", Type: js.TypeModule, Data: []byte(source)}}}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// compiled is how many modules' code is on disk.
func compiled(t *testing.T, dir string) int {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(datadir.Dir(dir).Code(), "*", "*.manifest"))
	if err != nil {
		t.Fatal(err)
	}
	return len(manifests)
}

// The engine of JavaScript is compiled while the node serves. A node may stop meanwhile,
// and a Worker that is deployed meanwhile waits.
func TestAheadOfJavaScript(t *testing.T) {
	cfg := node.Config{Data: t.TempDir(), Compile: compiletest.Command, AheadOfJavaScript: true}
	n := mustStart(t, cfg)
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := compiled(t, cfg.Data)
	n = mustStart(t, cfg)
	mustDeploy(t, n, "worker", mustWorker(t, `export default { fetch() { return new Response("hello"); } };`))
	if status, body, err := get(n, "worker.localhost"); status != 200 || body != "hello" {
		t.Errorf("status %d, %q, %v", status, body, err)
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := compiled(t, cfg.Data); got <= before {
		t.Errorf("%d files of code, %d before", got, before)
	}
}

// It needs no Worker to begin.
func TestAheadOfTheFirstWorker(t *testing.T) {
	cfg := node.Config{Data: t.TempDir(), Compile: compiletest.Command, AheadOfJavaScript: true}
	mustStart(t, cfg)
	before := compiled(t, cfg.Data)
	for deadline := time.Now().Add(2 * time.Minute); compiled(t, cfg.Data) <= before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is compiled")
		}
	}
}
