package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/tetratelabs/wazero"
)

// mustProgram encodes a Worker; the first module is the main one.
func mustProgram(t testing.TB, modules ...js.Source) []byte {
	t.Helper()
	p := js.Program{Main: modules[0].Name, Modules: modules}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func module(name, source string) js.Source {
	return js.Source{Name: name, Type: js.TypeModule, Data: []byte(source)}
}

// worker is a Worker whose fetch has a body.
func worker(body string) js.Source {
	return module("index.js", "export default { async fetch(request, env, ctx) {\n"+body+"\n} };")
}

// A Worker leaves its marks everywhere it can; the next request sees none.
func TestWorkerIsolation(t *testing.T) {
	const source = `
import { shared } from "./shared.js";
let count = 0;
const map = new Map(), weak = new WeakSet(), buffer = new Uint8Array(8);
globalThis.bag = [];
export default { async fetch(request, env) {
  const found = [count, shared.n, map.size, buffer[0], bag.length, [].leak, {}.leak, String.prototype.leak, Response.leak, env.leak,
    globalThis.leak, request.leak, Object.isFrozen(shared), Symbol.for("x").description, Reflect.ownKeys(globalThis).length, fetch.leak, /a/g.lastIndex];
  count++; shared.n++; map.set(1, 2); buffer[0] = 1; bag.push(1);
  Array.prototype.leak = Object.prototype.leak = String.prototype.leak = Response.leak = env.leak = globalThis.leak = fetch.leak = 1;
  Object.freeze(shared);
  globalThis["own" + Math.random()] = 1;
  JSON.stringify = () => "replaced";
  setTimeout(() => { globalThis.late = 1; }, 0);
  Promise.resolve().then(() => { count++; });
  return new Response(found.join());
} };`
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		m := mustLoad(t, r, mustProgram(t, module("index.js", source), module("shared.js", "export const shared = { n: 0 };")))
		s := mustPrepare(t, m, host.Limits{})
		var first string
		for i := range 4 {
			got := ask(t, s, "/", host.Limits{})
			if got.err != nil {
				t.Fatal(got.err)
			}
			if first == "" {
				first = string(got.Body)
			}
			if string(got.Body) != first || !strings.HasPrefix(first, "0,0,0,0,0,,,,,,,,false,x,") {
				t.Errorf("request %d: got %q, the first %q", i, got.Body, first)
			}
		}
	})
}

// Random numbers and identifiers differ from request to request.
func TestWorkerRandomness(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, worker(`
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    return new Response([Math.random(), crypto.randomUUID(), bytes.toHex()].join("\n"));`)))
	s := mustPrepare(t, m, host.Limits{})
	seen := map[string]bool{}
	for range 100 {
		got := ask(t, s, "/", host.Limits{})
		if got.err != nil {
			t.Fatal(got.err)
		}
		for line := range strings.Lines(string(got.Body)) {
			if seen[line] {
				t.Errorf("got %q twice", line)
			}
			seen[line] = true
		}
	}
}

// How requests end that don't go well.
func TestWorkerOutcomes(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range []struct {
		name, body string
		outcome    host.Outcome
		err        string // begins with
	}{
		{"throws", `throw new TypeError("no")`, host.OutcomeException, "Uncaught TypeError: no\n    at fetch (index.js:2:11)"},
		{"throws no error", `throw { a: 1 }`, host.OutcomeException, "Uncaught { a: 1 }"},
		{"with a cause", `throw new Error("a", { cause: "b" })`, host.OutcomeException, "Uncaught Error: a\n    at fetch (index.js:2:11)\n  [cause]: b"},
		{"no response", `return "text"`, host.OutcomeException, "Uncaught TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'."},
		{"never", `await new Promise(() => {})`, host.OutcomeException, "the Worker's code had hung and would never generate a response"},
		{"body twice", `const r = new Response("x"); await r.text(); return r`, host.OutcomeException, "Uncaught TypeError: Body has already been used."},
		{"recursion", `const f = () => 1 + f(); f()`, host.OutcomeException, "Uncaught RangeError: Maximum call stack size exceeded"},
		{"endless", `for (;;);`, host.OutcomeExceededCPU, "CPU time limit exceeded"},
		{"endless jobs", `for (;;) await null`, host.OutcomeExceededCPU, "CPU time limit exceeded"},
		{"memory", `const a = []; for (;;) a.push(new Uint8Array(1 << 20))`, host.OutcomeExceededMemory, ""},
		{"caught memory", `try { "x".repeat(1 << 28) } catch {} return new Response("fine")`, host.OutcomeOK, ""},
		{"long timer", `await new Promise(r => setTimeout(r, 1e6))`, host.OutcomeExceededWallTime, ""},
		{"regular expression", `/^(a+)+$/.test("a".repeat(40) + "b"); return new Response()`, host.OutcomeExceededCPU, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(tt.body))), host.Limits{})
			limits := host.Limits{Memory: 64 << 20}
			switch tt.outcome { // time passes on a busy machine as well
			case host.OutcomeExceededCPU:
				limits.CPU = 400e6
			case host.OutcomeExceededWallTime:
				limits.Wall = 800e6
			}
			got := ask(t, s, "/", limits)
			if message := fmt.Sprint(got.err); got.outcome != tt.outcome || !strings.HasPrefix(message, tt.err) {
				t.Errorf("got %v, %v; want %v, %q", got.outcome, message, tt.outcome, tt.err)
			}
			if again := ask(t, s, "/", limits); again.outcome != tt.outcome {
				t.Errorf("the next one: got %v, %v", again.outcome, again.err)
			}
		})
	}
}

// What can't be served is refused when it is deployed, and the message says where.
func TestWorkerRefused(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range []struct {
		name    string
		modules []js.Source
		err     string // begins with
	}{
		{"syntax", []js.Source{module("a/b.js", "const x = 1;\nconst x = 2;")}, "Uncaught SyntaxError: invalid redefinition of global identifier (a/b.js:2:1)"},
		{"syntax in an import", []js.Source{module("index.js", `import "./b.js"`), module("b.js", "\n\n  )")}, "Uncaught SyntaxError: unexpected token in expression: ')' (b.js:3:1)"},
		{"missing import", []js.Source{module("index.js", `import "./b.js"`)}, `Uncaught Error: No such module "b.js".`},
		{"missing package", []js.Source{module("index.js", `import "hono"`)}, `Uncaught Error: No such module "hono"`},
		{"missing export", []js.Source{module("index.js", `import { x } from "./b.js"`), module("b.js", "")}, "Uncaught SyntaxError: Could not find export 'x' in module 'b.js'"},
		{"throws", []js.Source{module("index.js", "\nthrow new Error('early')")}, "Uncaught Error: early\n    at <anonymous> (index.js:2:11)"},
		{"no handler", []js.Source{module("index.js", "export default {}")}, "Uncaught TypeError: Handler does not export a fetch() function."},
		{"no export", []js.Source{module("index.js", "1")}, "Uncaught TypeError: Handler does not export a fetch() function."},
		{"fetches at once", []js.Source{module("index.js", "await fetch('https://example.com')")}, "Uncaught Error: Disallowed operation called within global scope."},
		{"never settles", []js.Source{module("index.js", "await new Promise(() => {})")}, "Uncaught Error: the top-level await of a module does not settle"},
		{"WebAssembly", []js.Source{module("index.js", "new WebAssembly.Module(new Uint8Array(8))")}, "Uncaught Error: WebAssembly is not offered to JavaScript Workers"},
		{"endless", []js.Source{module("index.js", "for (;;);")}, "the module's initialisation failed: CPU time limit exceeded"},
		{"bad JSON", []js.Source{module("index.js", `import x from "./x.json"`), {Name: "x.json", Type: js.TypeJSON, Data: []byte("{")}}, "Uncaught SyntaxError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := prepare(t, mustLoad(t, r, mustProgram(t, tt.modules...)), host.Limits{CPU: time.Second})
			if host.CodeOf(err) != host.CodeInvalid || !strings.HasPrefix(err.Error(), tt.err) || strings.Contains(err.Error(), "wasm stack trace") {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

// Modules of each type, names in folders, cycles, top-level await and imports at
// run time.
func TestWorkerModules(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t,
		module("src/index.js", `
import text from "../page.html";
import data from "./data.bin";
import config from "../config.json";
import { even } from "./even.js";
import * as self from "./index.js";
const late = await Promise.resolve("awaited");
export const name = "main";
export default { async fetch() {
  const { value } = await import("./lazy.js");
  return new Response([text, new Uint8Array(data).join("-"), config.a[1], even(10), self.name, late, value].join(" "));
} };`),
		module("src/even.js", `import { odd } from "./odd.js"; export const even = n => n === 0 || odd(n - 1);`),
		module("src/odd.js", `import { even } from "./even.js"; export const odd = n => n !== 0 && even(n - 1);`),
		module("src/lazy.js", `export const value = "lazy";`),
		js.Source{Name: "page.html", Type: js.TypeText, Data: []byte("<p>\"é\u2028</p>")},
		js.Source{Name: "src/data.bin", Type: js.TypeData, Data: []byte{0, 255}},
		js.Source{Name: "./config.json", Type: js.TypeJSON, Data: []byte(`{"a": [1, 2]}`)},
	))
	got := ask(t, mustPrepare(t, m, host.Limits{}), "/", host.Limits{})
	if want := "<p>\"é\u2028</p> 0-255 2 true main awaited lazy"; string(got.Body) != want {
		t.Errorf("got %q, %v, want %q", got.Body, got.err, want)
	}
}

// The older syntax: one script with a listener.
func TestServiceWorker(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	p := js.Program{Main: "worker.js", Script: true, Modules: []js.Source{module("worker.js", `
var count = 0;
addEventListener("fetch", event => { event.respondWith(answer(event.request)); });
async function answer(request) { return new Response(request.method + " " + ++count + " " + (this === globalThis)); }`)}}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s := mustPrepare(t, mustLoad(t, r, data), host.Limits{})
	for range 2 {
		if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "GET 1 true" {
			t.Errorf("got %q, %v", got.Body, got.err)
		}
	}
}

// Workers share one compiled module, however many there are.
func TestWorkersShareCode(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	first := mustLoad(t, r, mustProgram(t, worker(`return new Response("a")`)))
	mustPrepare(t, first, host.Limits{})
	before := r.Bytes()
	for i := range 5 {
		mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(fmt.Sprintf(`return new Response("%d")`, i)))), host.Limits{})
	}
	if each := (r.Bytes() - before) / 5; each > 5<<19 {
		t.Errorf("a Worker takes %d bytes, want no code of its own", each)
	}
}

// Answers that are streamed, and work behind an answer.
func TestWorkerStreams(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range []struct {
		name, body string
		check      func(r result) bool
	}{
		{"chunks", `return new Response(new ReadableStream({ async pull(c) {
			for (const text of ["a", "b", "c"]) { c.enqueue(new TextEncoder().encode(text)); await null; }
			c.close();
		} }))`, func(r result) bool {
			return r.Streamed && strings.Join(r.Writes, "|") == "a|b|c" && r.Closed && r.CloseErr == nil
		}},
		{"transform", `const { readable, writable } = new TransformStream();
			const w = writable.getWriter();
			ctx.waitUntil((async () => { for (const n of [1, 2]) await w.write(new TextEncoder().encode("n" + n)); await w.close(); })());
			return new Response(readable, { headers: { "content-type": "text/event-stream" } })`,
			func(r result) bool {
				return string(r.Body) == "n1n2" && r.Header("content-type") == "text/event-stream" && r.Closed
			}},
		{"large", `return new Response("x".repeat(40 << 20))`, func(r result) bool { return r.Streamed && len(r.Body) == 40<<20 && len(r.Writes) == 40 }},
		{"fails in between", `return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array([65])); throw new Error("broken off"); } }))`,
			func(r result) bool {
				return r.outcome == host.OutcomeException && string(r.Body) == "A" && r.CloseErr != nil && strings.Contains(fmt.Sprint(r.err), "broken off")
			}},
		{"behind the answer", `ctx.waitUntil((async () => { await new Promise(r => setTimeout(r, 5)); console.log("behind"); })()); return new Response("now")`,
			func(r result) bool { return r.Detached && string(r.Body) == "now" && r.usage.Wall > 5e6 }},
		{"a failure behind the answer", `ctx.waitUntil(Promise.reject(new Error("late"))); return new Response("now")`,
			func(r result) bool { return r.outcome == host.OutcomeOK && string(r.Body) == "now" }},
		{"a timer nobody waits for", `setTimeout(() => { throw new Error("never") }, 1e5); return new Response("now")`,
			func(r result) bool { return !r.Detached && r.usage.Wall < 1e11 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(t, mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(tt.body))), host.Limits{}), "/", host.Limits{})
			if !tt.check(got) {
				t.Errorf("got %v, %v, %+v", got.outcome, got.err, got.Recorder)
			}
		})
	}
}

// A client that goes away is no fault of the Worker's.
func TestWorkerClientGone(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, worker(`return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(10)); } }))`)))
	s := mustPrepare(t, m, host.Limits{})
	got := result{Recorder: &hosttest.Recorder{Gone: true}}
	c := begin(t, got.Recorder, "/", host.Limits{})
	s.Use()
	if got.invoke(s, c); got.outcome != host.OutcomeCanceled {
		t.Errorf("got %v, %v, want canceled", got.outcome, got.err)
	}
}

// A Worker that was warmed up begins each request as the first one.
func TestWorkerWarmup(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, module("index.js", `
let n = 0;
export default { async fetch(request, env, ctx) {
  ctx.waitUntil(new Promise(() => {}));
  return new Response(String(++n));
} };`)))
	warmup := hosttest.Request("GET", "http://test.localhost/", "")
	s, err := prepare(t, m, host.Limits{}, warmup, warmup)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "3" {
			t.Errorf("got %q, %v, want 3", got.Body, got.err)
		}
	}
}

// A Snapshot on disk has what a Worker has beside the engine, and another process
// makes the same of it.
func TestWorkerSnapshotFile(t *testing.T) {
	first, second := mustRuntime(t, runtime.Config{}), mustRuntime(t, runtime.Config{})
	program := mustProgram(t, module("index.js", `
const made = "x".repeat(5), when = [1, 2, { made }];
let n = 0;
export default { fetch() { return new Response(JSON.stringify([made, when, ++n])); } };`))
	m := mustLoad(t, first, program)
	data, err := mustPrepare(t, m, host.Limits{}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 20<<10 {
		t.Errorf("a small Worker takes %d bytes on disk, want at most 20 KiB", len(data))
	}
	other := mustLoad(t, second, mustProgram(t, worker(`return new Response("another")`))) // holds the code
	defer other.Close()
	s, err := second.Restore(t.Context(), data, m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		if got := ask(t, s, "/", host.Limits{}); string(got.Body) != `["xxxxx",[1,2,{"made":"xxxxx"}],1]` {
			t.Errorf("got %q, %v", got.Body, got.err)
		}
	}
	if _, err := second.Restore(t.Context(), bytes.Replace(data, []byte(`"base":"`), []byte(`"base":"0`), 1), m.Digest); !errors.Is(err, runtime.ErrStale) {
		t.Errorf("got %v of another base, want ErrStale", err)
	}
}

// failingCode fails to load code for the first time.
type failingCode struct {
	runtime.CodeCache
	failed bool
}

func (f *failingCode) Load(ctx context.Context, engine wazero.Runtime, code []byte) (compile.Compiled, error) {
	if !f.failed {
		f.failed = true
		return compile.Compiled{}, errors.New("no file is free")
	}
	return f.CodeCache.Load(ctx, engine, code)
}

// A JavaScript engine that could not be started is started by who needs it next.
func TestEngineStartsAgain(t *testing.T) {
	m := mustLoad(t, mustRuntime(t, runtime.Config{}), mustProgram(t, worker(`return new Response("here")`)))
	data := mustEncode(t, mustPrepare(t, m, host.Limits{}))
	c, err := compile.Open(compile.Config{Dir: t.TempDir(), Command: compiletest.Command, Limits: compiletest.Limits()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := mustRuntime(t, runtime.Config{Code: &failingCode{CodeCache: c}})
	if _, err := r.Restore(t.Context(), data, m.Digest); err == nil || !strings.Contains(err.Error(), "no file is free") {
		t.Fatalf("got %v, want that no file is free", err)
	}
	s, err := r.Restore(t.Context(), data, m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "here" {
		t.Errorf("got %q, %v", got.Body, got.err)
	}
}

// What a request of JavaScript costs is in proportion to the time it takes: a small
// one stays within a fraction of the first quantum.
func TestWorkerUnits(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`return new Response("hello")`))), host.Limits{})
	first := ask(t, s, "/", host.Limits{}).usage.Units
	for range 3 {
		if got := ask(t, s, "/", host.Limits{}).usage.Units; got != first || got < 10_000 || got > 150_000 {
			t.Errorf("got %d units, the first time %d; want the same, about 90,000", got, first)
		}
	}
}

// Many requests at the same time share code and the Snapshot, and nothing else.
func TestWorkersTogether(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`
    globalThis.seen = (globalThis.seen ?? 0) + 1;
    const { pathname } = new URL(request.url);
    await new Promise(r => setTimeout(r, 1 + Math.random()));
    await Promise.all([1, 2, 3].map(async n => { await null; globalThis.seen += n * 0; }));
    return new Response(pathname + " " + globalThis.seen);`))), host.Limits{})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for n := range 20 {
				path := fmt.Sprintf("/%d/%d", g, n)
				if got := ask(t, s, path, host.Limits{}); got.outcome != host.OutcomeOK || string(got.Body) != path+" 1" {
					t.Errorf("%s: got %q, %v", path, got.Body, got.err)
				}
			}
		})
	}
	all.Wait()
}
