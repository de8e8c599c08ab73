// Package compiletest lets a test binary be the process that compiles, as the
// program mayfly is.
package compiletest

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/compile"
)

const role = "compile-child"

// Main is for TestMain: it compiles if Command started this process, and runs the
// tests otherwise. It returns their exit status.
func Main(m *testing.M) int {
	Child()
	return m.Run()
}

// Child compiles if Command started this process, which ends then. It comes before
// anything that is to be undone.
func Child() {
	if len(os.Args) > 1 && os.Args[1] == role {
		// Not os.Exit, before which the race detector waits for a second.
		syscall.Exit(compile.Child(os.Stdin, os.Stdout, os.Stderr, os.Args[2:]))
	}
}

// Limits are those of a machine that may be as busy as it likes. Children go behind all
// else that runs on it.
func Limits() compile.Limits { return compile.Limits{CPU: time.Hour, Wall: time.Hour} }

// Command is for compile.Config.
func Command(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, os.Args[0], role) }
