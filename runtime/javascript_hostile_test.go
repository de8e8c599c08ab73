package runtime_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/engine"
)

// What the engine imports is for the engine: operations trust it to call them as the
// platform does, and an upload of WebAssembly could be anything.
func TestEngineIsNoUpload(t *testing.T) {
	data, err := engine.JavaScript()
	if err != nil {
		t.Fatal(err)
	}
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		mustLoad(t, r, mustProgram(t, worker(`return new Response("x");`))) // so that its code is there
		m, err := r.Load(t.Context(), data)
		if err == nil {
			m.Close()
		}
		if host.CodeOf(err) != host.CodeInvalid || !strings.Contains(err.Error(), "mayfly_js") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

// What is asked for is counted before it is refused, and never gives units back.
func TestWorkerGetsNoUnitsBack(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`
    const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
    const a = { name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 1 };
    const refused = await crypto.subtle.deriveBits(a, key, 4e18).then(() => "given", (e) => e.name);
    return new Response(refused);`))), host.Limits{})
	got := ask(t, s, "/", host.Limits{})
	if got.usage.Units <= 0 || got.usage.Units > 1e12 {
		t.Errorf("got %d units", got.usage.Units)
	}
	if string(got.Body) != "NotSupportedError" && string(got.Body) != "OperationError" {
		t.Errorf("got %q, %v", got.Body, got.err)
	}
}

// A thrown text of many megabytes is not kept, nor logged.
func TestWorkerThrowsMuch(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for name, throw := range map[string]string{
		"name":    `const e = new Error("m"); e.name = "x".repeat(20_000_000); throw e;`,
		"message": `throw new Error("x".repeat(20_000_000));`,
		"text":    `throw "x".repeat(20_000_000);`,
	} {
		s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(throw))), host.Limits{})
		got := ask(t, s, "/", host.Limits{})
		if got.err == nil || len(got.err.Error()) > 100_000 {
			t.Errorf("%s: got an error of %d bytes", name, len(got.err.Error()))
		}
	}
}
