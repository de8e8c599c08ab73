package bench_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// workers are JavaScript Workers, by what they do.
var workers = []struct{ name, source string }{
	{"hello", `export default { fetch() { return new Response("hello"); } };`},
	{"async-hello", `export default { async fetch() { return new Response("hello"); } };`},
	{"url-json", `export default { async fetch(request) {
  const { pathname, searchParams } = new URL(request.url);
  return Response.json({ pathname, q: searchParams.get("q"), agent: request.headers.get("user-agent") });
} };`},
	{"json-100k", `const text = JSON.stringify(Array.from({ length: 1000 }, (_, i) => ({ id: i, name: "name " + i, tags: ["a", "b"], nested: { x: i / 3, ok: true }, text: "some more text" })));
export default { fetch() { const all = JSON.parse(text); for (const x of all) x.id++; return new Response(String(JSON.stringify(all).length)); } };`},
}

func mustWorker(t testing.TB, source string) []byte {
	t.Helper()
	p := js.Program{Main: "index.js", Modules: []js.Source{{Name: "index.js", Type: js.TypeModule, Data: []byte(source)}}}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// BenchmarkWorker is one Invocation of a JavaScript Worker without a network:
// acquire, event, release.
func BenchmarkWorker(b *testing.B) {
	r, err := runtime.New(b.Context(), runtime.Config{ABIs: []abi.ABI{js.New()}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close(context.Background())
	for _, w := range workers {
		b.Run("worker="+w.name, func(b *testing.B) { askWorker(b, r, w.source) })
	}
}

func askWorker(b *testing.B, r *runtime.Runtime, source string) {
	snapshot, setup := mustPrepare(b, r, source)
	defer snapshot.Close()
	encoded, err := snapshot.Encode()
	if err != nil {
		b.Fatal(err)
	}
	var c host.Call
	var a answer
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		c.Services, c.Bindings, c.Limits, c.Responder = setup.Services, setup.Bindings, setup.Limits, &a
		c.Request = hosttest.Request("GET", "http://bench.localhost/path?q=1", "", "user-agent", "bench")
		c.Begin(context.Background())
		snapshot.Use()
		outcome, spent, err := snapshot.Invoke(&c)
		if outcome != host.OutcomeOK || a.status != 200 {
			b.Fatalf("%v: %v", outcome, err)
		}
		spent.Recycle()
	}
	b.ReportMetric(float64(c.Usage.Units), "units/op")
	b.ReportMetric(float64(len(encoded))/1024, "image-KiB")
}

// BenchmarkHTTPWorker is BenchmarkHTTP for JavaScript Workers.
func BenchmarkHTTPWorker(b *testing.B) {
	for _, w := range workers[:2] {
		b.Run("worker="+w.name, func(b *testing.B) {
			n := workerNode(b)
			if _, err := n.Registry().Deploy(b.Context(), deploy.Local, "bench", deploy.Upload{Module: mustWorker(b, w.source)}); err != nil {
				b.Fatal(err)
			}
			ask(b, n.HTTPAddr(), guests.Guest{Method: "GET"})
		})
	}
}

func workerNode(b *testing.B) *node.Node {
	b.Helper()
	n, err := node.Start(b.Context(), node.Config{
		Data: filepath.Join(b.TempDir(), "data"), Listen: "127.0.0.1:0", Single: "bench", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Shutdown(context.Background()) })
	return n
}

// BenchmarkDeployWorker deploys Workers of 50 KB whose engine is compiled already.
func BenchmarkDeployWorker(b *testing.B) {
	n := workerNode(b)
	var source strings.Builder
	for i := 0; source.Len() < 50_000; i++ {
		fmt.Fprintf(&source, "function f%d(a, b) { const c = { a, b, text: %q }; return Object.entries(c).map(([k, v]) => k + v).join() }\n", i, "some text")
	}
	source.WriteString(workers[0].source)
	deployOne := func(i int) {
		up := deploy.Upload{Module: mustWorker(b, fmt.Sprintf("// %d\n%s", i, source.String()))}
		if _, err := n.Registry().Deploy(b.Context(), deploy.Local, fmt.Sprint("bench-", i), up); err != nil {
			b.Fatal(err)
		}
	}
	deployOne(0)
	i := 0
	for b.Loop() {
		i++
		deployOne(i)
	}
}
