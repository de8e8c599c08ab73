package compile_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/mayfly-run/mayfly/runtime/wasm/wasmtest"
)

// rewriting is what package runtime has done to modules before they are compiled.
var rewriting = wasm.Options{Meter: true, ExportGlobals: true, Split: true, FloatingMemory: true,
	ExportStart: true, TableLimit: 100_000, DropCustoms: true}

// The costliest modules that are accepted are compiled within a child's limits, or
// need more memory than it has, which is said soon. Those that would take it all
// its time are to be refused by package wasm.
func TestWorstModules(t *testing.T) {
	if os.Getenv("MAYFLY_TORTURE") == "" {
		t.Skip("compiling the costliest modules takes some minutes: MAYFLY_TORTURE is not set")
	}
	// The wall is that of a machine with nothing else to do.
	c := mustOpen(t, compile.Config{Dir: t.TempDir(), Command: child, Logger: quiet, Limits: compile.Limits{Wall: time.Hour}})
	t.Logf("%-34s %9s %8s %11s %8s", "family", "largest", "MB", "complexity", "CPU s")
	for _, f := range wasmtest.Families() {
		n := f.Largest(func(module string) bool {
			_, err := wasm.Parse([]byte(module), wasm.DefaultLimits())
			return err == nil
		})
		if n == 0 {
			t.Errorf("%s: none is accepted", f.Name)
			continue
		}
		compileWorst(t, c, f.Name, n, f.Make(n))
	}
}

func compileWorst(t *testing.T, c *compile.Cache, name string, n int, module string) {
	m, err := wasm.Parse([]byte(module), wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	rewritten, err := m.Rewrite(rewriting)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	before := childCPU(t)
	err = c.Ensure(context.Background(), rewritten.Code)
	used := childCPU(t) - before
	t.Logf("%-34s %9d %8.2f %11d %8.2f %v", name, n, float64(len(module))/1e6, m.Facts().Complexity, used.Seconds(), err)
	if e, ok := errors.AsType[*host.Error](err); err != nil && (!ok || !strings.Contains(e.Msg, "of memory")) {
		t.Errorf("%s: %v", name, err)
	}
}

// childCPU is what children that have ended used.
func childCPU(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
