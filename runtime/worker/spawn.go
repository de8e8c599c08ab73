//go:build linux

package worker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerNice lets the node itself go first.
const workerNice = 5

// spawner starts processes on one thread, which lives as long as they do: the kernel
// ends them with it, however the node ends, and they have its priority.
type spawner struct {
	work chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{make(chan func()), make(chan struct{})}
	go s.run() // until close
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	goruntime.LockOSThread() // and never unlocked: nobody else should go second
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), workerNice)
	for do := range s.work {
		do()
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.work <- func() { result <- cmd.Start() }
	return <-result
}

func (s *spawner) close() {
	close(s.work)
	<-s.done
}

// command is a worker's, with the node's end of its control socket, and the worker's,
// to be closed once it has started. Nothing of the node's environment gets there.
func (w *Workers) command() (cmd *exec.Cmd, ours, theirs *os.File, err error) {
	ours, theirs, err = socketPair()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd = w.cfg.Command(context.Background())
	cmd.Dir = "/"
	cmd.Env = environment(w.cfg.Memory)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if !w.cfg.FilterOnly {
		separate(cmd.SysProcAttr)
	}
	return cmd, ours, theirs, nil
}

// leastMemory is what Go may take in any case, in bytes, before it collects in earnest.
const leastMemory = 128 << 20

// environment is all of a worker's. It keeps Go's runtime and C's library, if there is
// one, from looking at files later.
func environment(memory int64) []string {
	return []string{
		"GODEBUG=containermaxprocs=0,updatemaxprocs=0", "GOMAXPROCS=" + strconv.Itoa(goruntime.GOMAXPROCS(0)),
		"MALLOC_ARENA_MAX=1", fmt.Sprintf("GOMEMLIMIT=%d", max(leastMemory, memory/4*3)),
	}
}

// separate gives the process namespaces of its own. In that of users it is root, over
// nothing, so that it can empty its file system.
func separate(a *syscall.SysProcAttr) {
	a.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
}

// socketPair makes two ends of a stream.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "node"), nil
}
