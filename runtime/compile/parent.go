package compile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"syscall"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

var errWall = errors.New("wall time is used up")

// childOutput is what is kept of a child's output and of its complaints, each.
const childOutput = 16 << 10

// runChild compiles code into dir in a child process.
func (c *Cache) runChild(dir string, code []byte) error {
	goruntime.LockOSThread() // see dieWithParent
	defer goruntime.UnlockOSThread()
	ctx, cancel := context.WithTimeoutCause(c.base, c.cfg.Limits.Wall, errWall)
	defer cancel()
	var out, complaints head
	cmd := c.cfg.Command(ctx)
	cmd.Args = append(cmd.Args, c.cfg.Limits.args(dir)...)
	cmd.Env = c.cfg.Limits.env()
	cmd.Dir = dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(code), &out, &complaints
	cmd.WaitDelay = 10 * time.Second // for what it said, also on a busy machine
	dieWithParent(cmd)
	err := cmd.Run()
	switch {
	case err == nil:
		return c.judge(out.data)
	case errors.Is(context.Cause(ctx), errWall):
		return tooMuch("%v", c.cfg.Limits.Wall)
	case c.base.Err() != nil:
		return ErrClosed
	case c.usedUpCPU(cmd.ProcessState):
		return tooMuch("%v of CPU", c.cfg.Limits.CPU)
	case ranOutOfMemory(complaints.data):
		return tooMuch("%d MiB of memory", c.cfg.Limits.Memory>>20)
	}
	return fmt.Errorf("compile in a child: %w: %s", err, complaints.data)
}

// judge reads what a child that exited with 0 printed.
func (c *Cache) judge(line []byte) error {
	var r result
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("read the child's result: %w", err)
	}
	if r.Format != format {
		return errors.New("the program file was replaced by another version: restart the server")
	}
	if r.UsedUp {
		return tooMuch("%v of CPU", c.cfg.Limits.CPU)
	}
	if r.Refused != "" {
		return host.Errorf(host.CodeInvalid, "the module is not valid WebAssembly: %s", r.Refused)
	}
	return nil
}

func tooMuch(format string, args ...any) error {
	return host.Errorf(host.CodeInvalid, "compiling this module takes more than %s; make its functions smaller, nest less, or build it with less inlining",
		fmt.Sprintf(format, args...))
}

// usedUpCPU is for a child that did not get to say so.
func (c *Cache) usedUpCPU(state *os.ProcessState) bool {
	if state == nil {
		return false
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && state.UserTime()+state.SystemTime() >= c.cfg.Limits.CPU*9/10
}

// ranOutOfMemory reads the last words of Go's runtime and of mmap.
func ranOutOfMemory(complaints []byte) bool {
	return bytes.Contains(complaints, []byte("out of memory")) || bytes.Contains(complaints, []byte("cannot allocate memory"))
}

// head keeps the beginning of what is written to it.
type head struct{ data []byte }

func (h *head) Write(p []byte) (int, error) {
	h.data = append(h.data, p[:min(len(p), childOutput-len(h.data))]...)
	return len(p), nil
}
