package deploy_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/compile"
)

const roleCompile = "compile-child"

// codeDir is where the nodes of all tests keep compiled code: their guests differ
// in data alone.
var codeDir string

// TestMain is also the process that compiles.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleCompile {
		// Not os.Exit, before which the race detector waits for a second.
		syscall.Exit(compile.Child(os.Stdin, os.Stdout, os.Stderr, os.Args[2:]))
	}
	var err error
	if codeDir, err = os.MkdirTemp("", "mayfly-code-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(codeDir)
	os.Exit(status)
}

// compileChild starts this test program as the process that compiles.
func compileChild(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, os.Args[0], roleCompile)
}
