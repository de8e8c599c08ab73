package runtime_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/cache"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// What the host computes for a Worker is of the Worker's time.
func TestWorkerPaysForCrypto(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`
    const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
    const a = { name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 100000 };
    for (;;) await crypto.subtle.deriveBits(a, key, 512);`))), host.Limits{})
	limits := host.Limits{CPU: 300 * time.Millisecond, Wall: 20 * time.Second}
	got := ask(t, s, "/", limits)
	if got.outcome != host.OutcomeExceededCPU {
		t.Errorf("got %v, %v", got.outcome, got.err)
	}
	if got.usage.Units < 100_000_000 {
		t.Errorf("got %d units, want those of the iterations", got.usage.Units)
	}
}

// What one request puts into a cache the next one finds, and those of another
// account do not.
func TestWorkerCacheOutlivesRequests(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, worker(`
    const found = await caches.default.match("https://example.com/");
    if (found) return found;
    ctx.waitUntil(caches.default.put("https://example.com/", new Response("kept")));
    return new Response("made");`)))
	s := mustPrepare(t, m, host.Limits{})
	all := cache.New(cache.Config{})
	for i, tt := range []struct{ account, want string }{{"one", "made"}, {"one", "kept"}, {"other", "made"}, {"one", "kept"}, {"other", "kept"}} {
		got := result{Recorder: new(hosttest.Recorder)}
		c := begin(t, got.Recorder, "/", host.Limits{})
		bindings := *c.Bindings
		bindings.Account, bindings.Cache = tt.account, all.Of(tt.account)
		c.Bindings = &bindings
		s.Use()
		got.invoke(s, c)
		if string(got.Body) != tt.want {
			t.Errorf("request %d: got %q, %v, want %q", i, got.Body, got.err, tt.want)
		}
	}
}

// Operations of caches are bounded as outbound requests are.
func TestWorkerCacheCounts(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`
    let n = 0;
    try { for (; n < 100; n++) await caches.default.match("https://example.com/"); } catch (e) { return new Response(n + " " + e.message); }`))), host.Limits{})
	got := ask(t, s, "/", host.Limits{Subrequests: 7})
	if want := "7 the limit of 7 outbound requests per invocation is used up"; string(got.Body) != want {
		t.Errorf("got %q, %v, want %q", got.Body, got.err, want)
	}
}
