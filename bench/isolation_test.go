package bench_test

import (
	"fmt"
	"os"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// isolations are where guests run.
var isolations = []node.Isolation{node.IsolationShared, node.IsolationProcess}

// BenchmarkIsolationHTTP is one request over loopback with guests in the node's
// process, and in one of their own. Client and node are in this process.
func BenchmarkIsolationHTTP(b *testing.B) {
	for _, isolation := range isolations {
		for _, g := range all[:2] {
			b.Run(fmt.Sprintf("isolation=%s/guest=%s", isolation, g.Name), func(b *testing.B) {
				n := isolatedNode(b, isolation)
				defer n.close(b)
				n.mustDeploy(b, "bench", mustModule(b, g), deploy.Limits{})
				n.mustAsk(b, "bench", g) // which starts the worker
				ask(b, n.HTTPAddr(), g)
			})
		}
	}
}

// BenchmarkIsolationStart is the first request to a Function, for which a worker is
// started, and the memory that it has to itself after many more.
func BenchmarkIsolationStart(b *testing.B) {
	for _, g := range all[:2] {
		b.Run("guest="+g.Name, func(b *testing.B) { benchStart(b, g) })
	}
}

// starts is how many are averaged: a deploy comes before each. requests is how many
// follow each.
const starts, requests = 10, 1000

func benchStart(b *testing.B, g guests.Guest) {
	n := isolatedNode(b, node.IsolationProcess)
	defer n.close(b)
	module := mustModule(b, g)
	var took time.Duration
	var memory int64
	for range starts {
		before := workertest.Running(b)
		n.mustDeploy(b, "bench", module, deploy.Limits{}) // the old Version's worker ends
		took += n.mustAsk(b, "bench", g)
		for range requests {
			n.mustAsk(b, "bench", g)
		}
		for pid := range workertest.Running(b) {
			if !before[pid] {
				memory += privateMemory(b, pid)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Microseconds())/starts/1000, "ms/start")
	b.ReportMetric(float64(memory)/starts/(1<<10), "MiB/worker")
}

// privateMemory is what a process has to itself, in KiB.
func privateMemory(b *testing.B, pid int) (sum int64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); err == nil {
			sum += kib
		}
		if _, err := fmt.Sscanf(line, "Private_Clean: %d kB", &kib); err == nil {
			sum += kib
		}
	}
	return sum
}

func isolatedNode(b *testing.B, isolation node.Isolation) *aNode {
	if goruntime.GOOS != "linux" && isolation != node.IsolationShared {
		b.Skip("worker processes need Linux")
	}
	return mustNode(b, b.TempDir(), func(c *node.Config) {
		c.Isolation, c.Worker, c.Single = isolation, workertest.Command, "bench"
	})
}
