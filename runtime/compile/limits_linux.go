package compile

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	childFiles = 32 // open files of a child
	childNice  = 10 // requests go first
)

// apply limits this process. At the soft limit of processor time it is told to end,
// and a second later the kernel ends it without asking.
func (l Limits) apply() error {
	space, err := addressSpace()
	if err != nil {
		return err
	}
	seconds := uint64(l.CPU / time.Second)
	for _, r := range []struct {
		resource   int
		soft, hard uint64
	}{
		{unix.RLIMIT_CORE, 0, 0},
		{unix.RLIMIT_NOFILE, childFiles, childFiles},
		{unix.RLIMIT_CPU, seconds, seconds + 1},
		{unix.RLIMIT_AS, space + uint64(l.Memory), space + uint64(l.Memory)},
	} {
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.soft, Max: r.hard}); err != nil {
			return fmt.Errorf("resource %d: %w", r.resource, err)
		}
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, childNice)
}

// addressSpace is what the process has mapped or reserved, in bytes. Go's runtime
// reserves far more than it uses, and more with each release.
func addressSpace() (uint64, error) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(data), &pages); err != nil {
		return 0, fmt.Errorf("read statm: %w", err)
	}
	return pages * uint64(os.Getpagesize()), nil
}

// dieWithParent makes the kernel end the child when the thread that started it
// ends; that thread must stay for as long as the child runs.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
