package bench_test

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/compile"
)

const roleCompile = "compile-child"

// TestMain is also the process that compiles for the nodes of benchmarks.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleCompile {
		syscall.Exit(compile.Child(os.Stdin, os.Stdout, os.Stderr, os.Args[2:]))
	}
	os.Exit(m.Run())
}

func compileChild(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, os.Args[0], roleCompile)
}
