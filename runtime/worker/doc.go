// Package worker runs guests in processes of their own, so that one which breaks out
// of the engine is still contained. Each worker runs the Instances of one Version and
// so of one account. It has the Version's code, its image, and, with each request,
// what this request may know; everything else it has to ask the node for, which
// checks every question as if a guest had asked it.
//
// The node's side begins with Open; session.go answers a worker during an
// Invocation. The worker's side begins with Child; guest.go runs an Invocation, and
// the stubs beside it ask the node. confine.go is what a worker gives up before its
// first guest, filter.go the system calls that are left to it. wire.go is what both
// sides say to each other.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"time"

	"github.com/mayfly-run/mayfly/runtime/compile"
)

// Config configures Workers.
type Config struct {
	// Code is where workers load machine code from, before they are confined.
	Code *compile.Cache
	// Command makes the command that starts this very program so that it calls Child.
	Command func(ctx context.Context) *exec.Cmd
	// FilterOnly does without namespaces, where the kernel does not let this user make
	// any. See confine.go for what is lost.
	FilterOnly bool
	// Idle is how long a worker waits for another request; default 1 minute.
	Idle time.Duration
	// Memory is how much a worker may have to itself, in bytes: one with more is ended.
	// Default 4 GiB.
	Memory int64
	Logger *slog.Logger // default slog.Default()
}

func (c *Config) setDefaults() error {
	if c.Code == nil || c.Command == nil {
		return errors.New("worker processes need a compile cache and the command that starts them")
	}
	if c.Idle <= 0 {
		c.Idle = time.Minute
	}
	if c.Memory <= 0 {
		c.Memory = 4 << 30
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}
