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
	limits := host.Limits{CPU: 300 * time.Millisecond}
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

// What the host makes for a Worker is held until the Worker has taken it, and no longer.
func TestWorkerResultsAreHeld(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`
    const said = [], big = "x".repeat(2 << 20), bytes = new Uint8Array(2 << 20).fill(97), half = big.slice(0, 600_000);
    const raw = new Uint8Array(16), key = await crypto.subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt"]);
    for (const [what, f] of Object.entries({
      encode: x => new TextEncoder().encode(x ? big : half),
      decode: x => new TextDecoder().decode(x ? bytes : bytes.subarray(0, 600_000)),
      fatal: x => new TextDecoder("utf-8", { fatal: true }).decode(x ? bytes : bytes.subarray(0, 600_000)),
      legacy: x => new TextDecoder("windows-1252").decode(x ? bytes : bytes.subarray(0, 300_000)),
      encrypt: x => crypto.subtle.encrypt({ name: "AES-CBC", iv: raw }, key, x ? bytes : bytes.subarray(0, 300_000)),
    })) {
      try {
        for (let i = 0; i < 20; i++) await f(false);
        await f(true);
        said.push(what + " was not refused");
      } catch (e) {
        if (!(e instanceof Error) || !e.message.startsWith("the values and bodies held for this invocation")) said.push(what + ": " + e);
      }
    }
    return new Response(said.join("\n"));`))), host.Limits{})
	got := ask(t, s, "/", host.Limits{Held: 1 << 20})
	if len(got.Body) > 0 || got.err != nil || got.usage.Refused != 5 {
		t.Errorf("got %s, %v, %d refused", got.Body, got.err, got.usage.Refused)
	}
}

// The value of an entry is held by one who has read it and by nobody else.
func TestWorkerValuesAreLetGo(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	setup := bound(t)
	setup.Limits.Held = 1 << 20
	s, err := mustLoad(t, r, mustProgram(t, worker(`
    await env.STORE.put("k", "x".repeat(700_000));
    let n = 0;
    for (let i = 0; i < 20; i++) n += (await env.STORE.get("k", i % 2 ? "text" : "arrayBuffer")).length ?? 0;
    return new Response(String(n));`))).Prepare(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	got := result{Recorder: new(hosttest.Recorder)}
	c := &host.Call{ID: "test-request", Services: setup.Services, Bindings: setup.Bindings, Limits: setup.Limits, Responder: got.Recorder}
	c.Request = hosttest.Request("GET", "http://test.localhost/", "")
	c.Begin(t.Context())
	s.Use()
	if got.invoke(s, c); string(got.Body) != "7000000" {
		t.Errorf("got %q, %v", got.Body, got.err)
	}
}
