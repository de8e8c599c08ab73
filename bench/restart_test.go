package bench_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// BenchmarkRestart is the first request to a node that has just started, with
// the guest's code and snapshot on disk.
func BenchmarkRestart(b *testing.B) {
	for _, g := range all {
		b.Run("guest="+g.Name, func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "data")
			n := mustNode(b, dir, func(*node.Config) {})
			n.mustDeploy(b, "bench", mustModule(b, g), deploy.Limits{})
			n.close(b)
			var sum time.Duration
			for b.Loop() {
				n := mustNode(b, dir, func(*node.Config) {})
				sum += n.mustAsk(b, "bench", g)
				n.close(b)
			}
			b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), "first-request-ms")
		})
	}
}
