package cli

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/doctor"
	"github.com/mayfly-run/mayfly/runtime/worker"
)

// Main is Run for a process: the first interrupt or SIGTERM ends the context,
// the second the process.
func Main(args []string, stdio Stdio) int {
	if len(args) > 0 && args[0] == compileChild {
		return compile.Child(stdio.In, stdio.Out, stdio.Err, args[1:])
	}
	if len(args) > 0 && args[0] == doctorChild {
		return doctor.Child(os.Stdout, os.Stderr, args[1:])
	}
	if len(args) > 0 && args[0] == workerChild {
		return worker.Child(os.Stderr)
	}
	stdio.Self = self
	stdio.Worker = func(ctx context.Context) *exec.Cmd { return again(ctx, workerChild) }
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Room for both, so that none is lost however close they come.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // until the process ends
		<-signals
		cancel()
		second := <-signals
		os.Exit(exitSignal + int(second.(syscall.Signal)))
	}()
	return Run(ctx, args, stdio)
}

// compileChild is the argument with which a node starts the process that
// compiles. It is not for people.
const compileChild = "compile-child"

// doctorChild is the one with which mayfly doctor starts the process that reads a
// database.
const doctorChild = "doctor-child"

// workerChild is the one with which a node starts the process that runs guests.
const workerChild = "worker-child"

// self starts the program that is running as the process that compiles.
func self(ctx context.Context) *exec.Cmd { return again(ctx, compileChild) }

// again starts the program that is running, even if its file was replaced since.
func again(ctx context.Context, role string) *exec.Cmd {
	path := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		path, _ = os.Executable() // an empty path fails when it is started
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = []string{os.Args[0], role}
	return cmd
}
