//go:build !race

package compile_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/runtime/compile"
)

// Not under the race detector, which needs address space of its own.
func TestMemoryLimit(t *testing.T) {
	cfg, _ := counted(t.TempDir())
	cfg.Limits = compile.Limits{Memory: 128 << 20}
	c := mustOpen(t, cfg)
	wantTooMuch(t, c.Ensure(t.Context(), adds(500_000)), "takes more than 128 MiB of memory;")
	mustEnsure(t, c, adds(1000))
}
