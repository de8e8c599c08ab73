// Package workertest lets a test binary be a node's worker, and the process that
// compiles, as the program mayfly is.
package workertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/mayfly-run/mayfly/runtime/worker"
)

const role = "worker-child"

// Main is for TestMain: it is a worker, or compiles, if Command or
// compiletest.Command started this process, and runs the tests otherwise.
func Main(m *testing.M) int {
	if len(os.Args) > 1 && os.Args[1] == role {
		syscall.Exit(worker.Child(os.Stderr)) // not os.Exit, before which the race detector waits
	}
	return compiletest.Main(m)
}

// Command is for worker.Config.
func Command(ctx context.Context) *exec.Cmd {
	path, _ := os.Executable() // an empty path fails when it is started
	return exec.CommandContext(ctx, path, role)
}

// Isolate has a Runtime run guests in workers. It skips the test where that is not
// possible.
func Isolate(t testing.TB, cfg *runtime.Config, edit ...func(*worker.Config)) *worker.Workers {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	code, err := compile.Open(compile.Config{Dir: t.TempDir(), Command: compiletest.Command, Limits: compiletest.Limits(), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	config := worker.Config{Code: code, Command: Command, Logger: logger}
	for _, e := range edit {
		e(&config)
	}
	w, err := worker.Open(config)
	if err != nil {
		code.Close()
		t.Skipf("no workers here: %v", err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := code.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg.Code, cfg.Isolation = code, w
	return w
}

// Running are the workers that this process has started, by their ids.
func Running(t testing.TB) map[int]bool {
	t.Helper()
	found := map[int]bool{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		stat, _ := os.ReadFile(f) // it may have ended
		_, rest, _ := strings.Cut(string(stat), ") ")
		var state string
		var parent int
		_, _ = fmt.Sscan(rest, &state, &parent)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if command, _ := os.ReadFile(filepath.Dir(f) + "/cmdline"); parent == os.Getpid() && state != "Z" && bytes.Contains(command, []byte(role)) {
			found[pid] = true
		}
	}
	return found
}

// Asked has Isolate run the Runtime of a test as well, if MAYFLY_ISOLATION is
// "process": so whole packages are tested with guests in workers.
func Asked() bool { return os.Getenv("MAYFLY_ISOLATION") == "process" }
