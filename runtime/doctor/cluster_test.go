package doctor_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/doctor"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// TestCluster checks the directory of a node whose entries are a cluster's.
func TestCluster(t *testing.T) {
	dir := datadir.Dir(filepath.Join(t.TempDir(), "data"))
	n, err := node.Start(t.Context(), node.Config{Data: string(dir), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Cluster: &node.Cluster{Embedded: true}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doctor.Run(t.Context(), doctor.Config{Dir: dir, Child: play(roleDoctor)}); err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("while the node runs: got %v", err)
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, dir, false); !r.Cluster || len(r.Problems) > 0 {
		t.Errorf("got %+v, want a cluster without problems", r)
	}
	for _, path := range []string{dir.NATS(), dir.KEK()} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wantProblems(t, mustRun(t, dir, true), []string{"kek: it has the mode", "nats: it has the mode"})
}
