package bench_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// programs are the Workers that peers are measured with as well.
var programs = guests.Workers("..")

// mustSource is the text of a program, which may need npm packages.
func mustSource(t testing.TB, w guests.Worker) string {
	t.Helper()
	if _, err := os.Stat("guests/workers/node_modules"); w.Name == "markdown" && errors.Is(err, fs.ErrNotExist) {
		t.Skip("this needs 'npm ci' in bench/guests/workers")
	}
	source, err := w.Source()
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// TestPrograms: each answers what peers have to answer too.
func TestPrograms(t *testing.T) {
	r, err := runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{js.New()}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	for _, w := range programs {
		t.Run(w.Name, func(t *testing.T) {
			module, err := r.Load(t.Context(), mustWorker(t, mustSource(t, w)))
			if err != nil {
				t.Fatal(err)
			}
			limits := host.DefaultLimits()
			limits.CPU = limits.Wall // however busy the machine is
			setup := runtime.Setup{Services: hosttest.Services(t), Limits: limits,
				Bindings: &host.Bindings{Account: "local", Function: "bench", Version: "1"}}
			snapshot, err := module.Prepare(t.Context(), setup)
			if err != nil {
				t.Fatal(err)
			}
			defer snapshot.Close()
			got := new(hosttest.Recorder)
			c := &host.Call{Services: setup.Services, Bindings: setup.Bindings, Limits: setup.Limits, Responder: got}
			c.Request = hosttest.Request("GET", guests.URL, "")
			c.Begin(t.Context())
			snapshot.Use()
			outcome, spent, err := snapshot.Invoke(c)
			if outcome != host.OutcomeOK || string(got.Body) != w.Answer {
				t.Errorf("got %v, %v, %q, want %q", outcome, err, got.Body, w.Answer)
			}
			if spent != nil {
				spent.Recycle()
			}
		})
	}
}

// BenchmarkWorkerProgram is BenchmarkWorker for the programs that peers run too.
func BenchmarkWorkerProgram(b *testing.B) {
	r, err := runtime.New(b.Context(), runtime.Config{ABIs: []abi.ABI{js.New()}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close(context.Background())
	for _, w := range programs {
		b.Run("worker="+w.Name, func(b *testing.B) { askWorker(b, r, mustSource(b, w)) })
	}
}

// BenchmarkWorkers deploys 5,000 small Workers on a node as it is by default, no two
// the same. It reports the memory that the process takes with all of them, and what each
// takes on disk. Then it asks each once, so that the answer comes after idling, and then in random
// order. It reports how long that took. WORKERS is another number than 5,000.
func BenchmarkWorkers(b *testing.B) {
	workers := 5000
	if n, err := strconv.Atoi(os.Getenv("WORKERS")); err == nil {
		workers = n
	}
	dir := filepath.Join(b.TempDir(), "data")
	n := mustNode(b, dir, func(*node.Config) {})
	defer n.close(b)
	n.mustDeploy(b, "first", mustWorker(b, small(-1)), deploy.Limits{}) // compiles the engine
	before, diskBefore, began := mustResident(b), mustDisk(b, dir), time.Now()
	n.mustDeploySmall(b, workers)
	deploying, deployed := time.Since(began), mustResident(b)
	each := func(bytes int64) float64 { return float64(bytes) / float64(workers) / 1024 }
	most := deployed
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		report(b, "idle", n.askSmall(b, rng.Perm(workers), &most))
		order := make([]int, 2*workers)
		for i := range order {
			order[i] = rng.IntN(workers)
		}
		report(b, "request", n.askSmall(b, order, &most))
	}
	b.ReportMetric(float64(deploying.Milliseconds())/float64(workers), "deploy-ms")
	b.ReportMetric(each(deployed-before), "KiB/worker")
	b.ReportMetric(each(mustDisk(b, dir)-diskBefore), "disk-KiB/worker")
	b.ReportMetric(float64(deployed)/(1<<20), "deployed-MiB")
	b.ReportMetric(float64(most)/(1<<20), "most-MiB")
}

// TestWorkers is BenchmarkWorkers with few, on a node that has room for none of their
// Instances.
func TestWorkers(t *testing.T) {
	const workers = 20
	n := mustNode(t, filepath.Join(t.TempDir(), "data"), func(cfg *node.Config) { cfg.CodeMemory = 1 })
	defer n.close(t)
	n.mustDeploySmall(t, workers)
	var most int64
	if took := n.askSmall(t, rand.New(rand.NewPCG(1, 2)).Perm(workers), &most); len(took) != workers {
		t.Errorf("%d answers, want %d", len(took), workers)
	}
}

func nameOf(i int) string { return fmt.Sprint("w", i) }

func (n *aNode) mustDeploySmall(t testing.TB, workers int) {
	t.Helper()
	for i := range workers {
		n.mustDeploy(t, nameOf(i), mustWorker(t, small(i)), deploy.Limits{})
	}
}

// askSmall asks small Workers one after the other, and notes the most memory that the
// process takes.
func (n *aNode) askSmall(t testing.TB, order []int, most *int64) (took []time.Duration) {
	t.Helper()
	for asked, i := range order {
		took = append(took, n.mustAsk(t, nameOf(i), guests.Guest{Method: "GET", Answer: fmt.Sprintf(`{"worker":%d,"path":"/"}`, i)}))
		if asked%100 == 99 {
			*most = max(*most, mustResident(t))
		}
	}
	return took
}

// mustDisk is what the files of a directory take, in bytes.
func mustDisk(t testing.TB, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes
}

// small is a Worker that does a little.
func small(i int) string {
	return fmt.Sprintf(`const worker = %d;
export default { async fetch(request) {
  const { pathname: path } = new URL(request.url);
  if (request.method !== "GET") return new Response("use GET", { status: 405 });
  return Response.json({ worker, path });
} };`, i)
}
