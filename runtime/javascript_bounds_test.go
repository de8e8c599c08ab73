package runtime_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
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
