package bench_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// BenchmarkDeploySameCode deploys 1,000 modules that differ in data alone, each as
// a Version of its own Function, and reports what all but the first take.
func BenchmarkDeploySameCode(b *testing.B) {
	n := mustNode(b, filepath.Join(b.TempDir(), "data"), func(*node.Config) {})
	defer n.close(b)
	module := func(i int) []byte {
		var m hosttest.Module
		m.Memory(2)
		m.Data(0, fmt.Appendf(nil, "number %d", i))
		m.Func("fetch", nil, nil, nil)
		return m.Bytes()
	}
	for b.Loop() {
		var took []time.Duration
		for i := range 1000 {
			began := time.Now()
			n.mustDeploy(b, fmt.Sprint("f", i), module(i), deploy.Limits{})
			took = append(took, time.Since(began))
		}
		report(b, "deploy", took[1:])
	}
}
