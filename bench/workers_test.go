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
// the same, and asks them in random order, so that most have idled for long. It
// reports the memory that the process takes with all of them, and how long requests
// took. WORKERS is another number than 5,000.
func BenchmarkWorkers(b *testing.B) {
	workers := 5000
	if n, err := strconv.Atoi(os.Getenv("WORKERS")); err == nil {
		workers = n
	}
	n := mustNode(b, filepath.Join(b.TempDir(), "data"), func(*node.Config) {})
	defer n.close(b)
	name := func(i int) string { return fmt.Sprint("w", i) }
	began := time.Now()
	for i := range workers {
		n.mustDeploy(b, name(i), mustWorker(b, small(i)), deploy.Limits{})
	}
	deploying, deployed := time.Since(began), mustResident(b)
	most := deployed
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		var took []time.Duration
		for asked := range 2 * workers {
			i := rng.IntN(workers)
			took = append(took, n.mustAsk(b, name(i), guests.Guest{Method: "GET", Answer: fmt.Sprintf(`{"worker":%d,"path":"/"}`, i)}))
			if asked%100 == 0 {
				most = max(most, mustResident(b))
			}
		}
		report(b, "request", took)
	}
	b.ReportMetric(float64(deploying.Milliseconds())/float64(workers), "deploy-ms")
	b.ReportMetric(float64(deployed)/(1<<20), "deployed-MiB")
	b.ReportMetric(float64(most)/(1<<20), "most-MiB")
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
