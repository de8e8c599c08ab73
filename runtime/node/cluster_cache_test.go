package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// TestClusterCache: a node that may keep next to nothing of what the cluster has keeps the
// modules of what is deployed, and starts and serves without the cluster.
func TestClusterCache(t *testing.T) {
	setKeys(t)
	listen := porttest.Addresses(t, 1)[0]
	first := mustStart(t, node.Config{Cluster: &node.Cluster{Embedded: true, Listen: listen}})
	dir := t.TempDir()
	cfg := node.Config{Data: dir, Cluster: &node.Cluster{URL: []string{"nats://" + listen}, Cache: 1}}
	second := mustStart(t, cfg)
	const functions, versions = 3, 4
	for v := range versions {
		for f := range functions {
			name, text := fmt.Sprint("f", f), fmt.Sprint("function ", f, " version ", v)
			mustDeploy(t, first, name, hello(text))
			eventually(t, text, func() bool {
				_, body, err := get(second, name+".localhost")
				return err == nil && body == text
			})
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "copy", "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, name := range files {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			kept++
		}
	}
	if kept < functions || kept >= functions*versions {
		t.Errorf("%d blobs are kept, want those of %d Functions and a few more", kept, functions)
	}
	for _, n := range []*node.Node{second, first} {
		if err := n.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "code")); err != nil { // so that it needs the modules
		t.Fatal(err)
	}
	second = mustStart(t, cfg)
	for f := range functions {
		want := fmt.Sprint("function ", f, " version ", versions-1)
		if status, body, err := get(second, fmt.Sprint("f", f, ".localhost")); status != 200 || body != want {
			t.Errorf("without the cluster: got %d, %q, %v, want %q", status, body, err, want)
		}
	}
}
