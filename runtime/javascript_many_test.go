package runtime_test

import (
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// mostOfSmall is what a small Worker may take, in bytes: in memory while it idles, and
// on disk.
const mostOfSmall = 32 << 10

// Small Workers take little beside the engine that they share, and answer after their
// Instances were freed.
func TestWorkersAreDifferences(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	prepare := func(n int) *runtime.Snapshot {
		return mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(fmt.Sprintf(`return Response.json({ n: %d, path: new URL(request.url).pathname });`, n)))), host.Limits{})
	}
	prepare(0)
	before := r.Bytes()
	var all []*runtime.Snapshot
	for n := range 10 {
		all = append(all, prepare(n))
	}
	if each := (r.Bytes() - before) / 10; each > mostOfSmall {
		t.Errorf("each takes %d bytes, want at most %d", each, mostOfSmall)
	}
	for range 2 {
		for n, s := range all {
			if got := ask(t, s, "/a", host.Limits{}); string(got.Body) != fmt.Sprintf(`{"n":%d,"path":"/a"}`, n) {
				t.Errorf("Worker %d: got %q, %v", n, got.Body, got.err)
			}
			if size := len(mustEncode(t, s)); size > mostOfSmall || !s.Light() {
				t.Errorf("Worker %d is kept in %d bytes, want at most %d", n, size, mostOfSmall)
			}
			if s.Rest(); s.Idle() != 0 {
				t.Errorf("Worker %d: %d Instances after it was told to rest", n, s.Idle())
			}
		}
	}
	if each := (r.Bytes() - before) / 10; each > mostOfSmall {
		t.Errorf("each takes %d bytes after answers, want at most %d", each, mostOfSmall)
	}
}

// A Worker of many modules, with a large heap, is the same after each request and
// after it was restored.
func TestLargeWorker(t *testing.T) {
	const source = `const table = Array.from({ length: 20000 }, (_, i) => ({ i, text: "text " + i }));
export default { fetch() {
  const sum = table.reduce((sum, x) => sum + x.i + x.text.length, 0);
  table[7].i = 1e6; table.length = 10000; table.push({ i: 5, text: "x".repeat(100000) });
  return new Response(String(sum));
} };`
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, module("index.js", source)))
	s := mustPrepare(t, m, host.Limits{})
	restored, err := r.Restore(t.Context(), mustEncode(t, s), m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	for _, s := range []*runtime.Snapshot{s, restored} {
		for range 3 {
			if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "200178890" {
				t.Errorf("got %q, %v", got.Body, got.err)
			}
		}
	}
}

// A Runtime that is to be within some memory says so when Instances become too many.
func TestWithin(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	wanted := 0
	r.Within(1, func() { wanted++ })
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`return new Response("x");`))), host.Limits{})
	wanted = 0
	if ask(t, s, "/", host.Limits{}); wanted == 0 {
		t.Error("nobody was told")
	}
}
