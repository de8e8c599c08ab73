//go:build linux

package worker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/cache"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/worker"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// cacher does with a cache what the path of its request says.
const cacher = `export default { async fetch(request) {
  const { pathname, search } = new URL(request.url), key = "https://example.com/" + search;
  if (pathname === "/put") await caches.default.put(key, new Response("x".repeat(300000), { headers: { "cache-control": "max-age=60", "x-a": "b" } }));
  if (pathname === "/delete") return new Response(String(await caches.default.delete(key)));
  const found = await caches.default.match(key);
  return new Response(found ? (await found.text()).length + found.headers.get("x-a") : "none");
} };`

// What a Worker in a process of its own puts into a cache is there for the next request, and for
// no other account.
func TestCaches(t *testing.T) {
	cfg := runtime.Config{ABIs: []abi.ABI{js.New()}}
	workertest.Isolate(t, &cfg)
	r, err := runtime.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	s := mustPrepareWorker(t, r, cacher)
	defer s.Close()
	caches := cache.New(cache.Config{})
	mine, others := &host.Bindings{Account: "mine", Cache: caches.Of("mine")}, &host.Bindings{Account: "others", Cache: caches.Of("others")}
	for _, step := range []struct {
		bindings   *host.Bindings
		path, want string
	}{
		{mine, "/match?1", "none"}, {mine, "/put?1", "300000b"}, {mine, "/match?1", "300000b"}, {mine, "/match?2", "none"},
		{others, "/match?1", "none"}, {&host.Bindings{}, "/put?1", "none"}, {mine, "/delete?1", "true"}, {mine, "/delete?1", "false"}, {mine, "/match?1", "none"},
	} {
		if got := askAs(t, s, step.bindings, step.path); got != step.want {
			t.Errorf("%s: got %q, want %q", step.path, got, step.want)
		}
	}
}

func mustPrepareWorker(t *testing.T, r *runtime.Runtime, source string) *runtime.Snapshot {
	t.Helper()
	p := js.Program{Main: "index.js", Modules: []js.Source{{Name: "index.js", Type: js.TypeModule, Data: []byte(source)}}}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Load(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	limits := host.DefaultLimits()
	limits.CPU = limits.Wall // however busy the machine is
	s, err := m.Prepare(t.Context(), runtime.Setup{Services: hosttest.Services(t), Bindings: &host.Bindings{}, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func askAs(t *testing.T, s *runtime.Snapshot, bindings *host.Bindings, path string) string {
	t.Helper()
	var recorder hosttest.Recorder
	c := &host.Call{ID: "test", Services: hosttest.Services(t), Bindings: bindings, Limits: host.DefaultLimits(), Responder: &recorder}
	c.Limits.CPU = c.Limits.Wall
	c.Request = hosttest.Request("GET", "http://test.localhost"+path, "")
	c.Begin(t.Context())
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	if outcome, _, err := s.Invoke(c); outcome != host.OutcomeOK {
		t.Errorf("%s: %v, %v", path, outcome, err)
	}
	return string(recorder.Body)
}

// Operations of caches count as outbound requests here, whatever a worker says.
func TestLimitsOfCaches(t *testing.T) {
	c := victim(t, new(hosttest.Recorder))
	_, _, _ = worker.Session(c, func(r *worker.Rogue) {
		kept := 0
		for i := range uint64(20) {
			kept += mustAsk(t, r, worker.Question{ID: worker.FirstAsk + i, Op: worker.OpCachePut, Key: "\x00http://x/", Status: 200, Data: []byte(strings.Repeat("x", int(i)))}).N
		}
		if kept != c.Limits.Subrequests {
			t.Errorf("%d responses were kept, want %d", kept, c.Limits.Subrequests)
		}
	})
}
