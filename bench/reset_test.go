package bench_test

import (
	"context"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
)

// BenchmarkWorkerReset is what a fresh state costs a JavaScript Worker: taking an
// Instance before each request, and putting it back after it.
func BenchmarkWorkerReset(b *testing.B) {
	r, err := runtime.New(b.Context(), runtime.Config{ABIs: []abi.ABI{js.New()}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close(context.Background())
	for _, w := range workers[:3] {
		b.Run("worker="+w.name, func(b *testing.B) { resetWorker(b, r, w.source) })
	}
}

func resetWorker(b *testing.B, r *runtime.Runtime, source string) {
	snapshot, setup := mustPrepare(b, r, source)
	defer snapshot.Close()
	var acquire, reset, both []time.Duration
	var c host.Call
	var a answer
	for b.Loop() {
		c.Reset()
		c.Services, c.Bindings, c.Limits, c.Responder = setup.Services, setup.Bindings, setup.Limits, &a
		c.Request = hosttest.Request("GET", "http://bench.localhost/path?q=1", "", "user-agent", "bench")
		c.Timed = true
		c.Begin(context.Background())
		snapshot.Use()
		began := time.Now()
		_, spent, err := snapshot.Invoke(&c)
		if err != nil {
			b.Fatal(err)
		}
		acquire = append(acquire, c.Acquired.Sub(began))
		began = time.Now()
		spent.Recycle()
		reset = append(reset, time.Since(began))
		both = append(both, acquire[len(acquire)-1]+reset[len(reset)-1])
	}
	for name, d := range map[string][]time.Duration{"acquire": acquire, "reset": reset, "both": both} {
		b.ReportMetric(float64(percentile(d, 50).Nanoseconds())/1000, name+"-p50-us")
	}
}

// mustPrepare takes the Snapshot of a Worker, for requests that have no node.
func mustPrepare(b *testing.B, r *runtime.Runtime, source string) (*runtime.Snapshot, runtime.Setup) {
	b.Helper()
	module, err := r.Load(b.Context(), mustWorker(b, source))
	if err != nil {
		b.Fatal(err)
	}
	setup := runtime.Setup{Services: hosttest.Services(b), Limits: host.DefaultLimits(),
		Bindings: &host.Bindings{Account: "local", Function: "bench", Version: "1"}}
	snapshot, err := module.Prepare(b.Context(), setup)
	if err != nil {
		b.Fatal(err)
	}
	return snapshot, setup
}
