//go:build linux

package worker_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/mayfly-run/mayfly/runtime/worker"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
	"golang.org/x/sys/unix"
)

// escapeRole is the argument with which this binary confines itself and then tries
// what a guest that broke out of the engine would.
const escapeRole = "escape"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == escapeRole {
		syscall.Exit(escape(os.Args[2], os.Args[3], os.Args[4:]))
	}
	os.Exit(workertest.Main(m))
}

// escape confines the process in one way and makes one attempt, which has a pid and a
// port of the test's and the name of a file as arguments. It says how that went.
func escape(how, name string, args []string) int {
	var err error
	switch how {
	case "filter":
		err = worker.Confine(true)
	case "namespaces":
		err = worker.EmptyRoot()
	default:
		err = worker.Confine(false)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "confine: %v", err)
		return 2
	}
	pid, _ := strconv.Atoi(args[0])
	port, _ := strconv.Atoi(args[1])
	if err := attempts[name](pid, port, args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "refused: %v", err)
		return 3
	}
	fmt.Fprint(os.Stderr, "done")
	return 0
}

// attempts are what must not succeed, but for the first.
var attempts = map[string]func(pid, port int, file string) error{
	"work": func(int, int, string) error { return work() },

	"open":         func(_, _ int, file string) error { _, err := os.ReadFile(file); return err },
	"open program": func(int, int, string) error { _, err := os.Open("/proc/self/exe"); return err },
	"list":         func(int, int, string) error { return list("/etc") },
	"create":       func(_, _ int, file string) error { return os.WriteFile(file+".new", nil, 0o600) },
	"create here":  func(int, int, string) error { return os.WriteFile("/new", nil, 0o600) },
	"connect": func(_, port int, _ string) error {
		_, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return err
	},
	"listen": func(int, int, string) error { _, err := net.Listen("unix", "@mayfly-escape"); return err },
	"fork and exec": func(int, int, string) error {
		cmd := exec.Command("/proc/self/exe", "-test.run=^$")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr // else it begins with opening a file
		return cmd.Run()
	},
	"exec":         func(int, int, string) error { return unix.Exec("/bin/sh", []string{"sh", "-c", "exit 0"}, nil) },
	"trace":        func(pid, _ int, _ string) error { return unix.PtraceAttach(pid) },
	"kill":         func(pid, _ int, _ string) error { return unix.Kill(pid, 0) },
	"kill thread":  func(pid, _ int, _ string) error { return unix.Tgkill(pid, pid, 0) },
	"open process": func(pid, _ int, _ string) error { _, err := unix.PidfdOpen(pid, 0); return err },
	"read process": func(pid, _ int, _ string) error { return readProcess(pid) },
	"new machine code": func(int, int, string) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		return err
	},
	"turn data into code": func(int, int, string) error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		return errors.Join(err, unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC))
	},
	"more namespaces": func(int, int, string) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"mount":           func(int, int, string) error { return unix.Mount("none", "/", "tmpfs", 0, "") },
	"limits":          func(int, int, string) error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: 0}) },
	"io_uring":        func(int, int, string) error { return raw(unix.SYS_IO_URING_SETUP, 1, 0, 0) },
	"bpf":             func(int, int, string) error { return raw(unix.SYS_BPF, 0, 0, 0) },
	"keys":            func(int, int, string) error { return raw(unix.SYS_KEYCTL, 0, ^uintptr(2), 0) },
	"own filter":      func(int, int, string) error { return raw(unix.SYS_SECCOMP, 1, 0, 0) },
	"privileges":      func(int, int, string) error { return unix.Setuid(0) },
	"terminal":        func(int, int, string) error { return raw(unix.SYS_IOCTL, 2, unix.TIOCSTI, 0) },
	"clone process":   func(int, int, string) error { return raw(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0) },
}

func list(dir string) error { _, err := os.ReadDir(dir); return err }

func raw(number, a, b, c uintptr) error {
	if _, _, errno := unix.RawSyscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

func readProcess(pid int) error {
	var b [8]byte
	local := []unix.Iovec{{Base: &b[0], Len: 8}}
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&b)), Len: 8}}, 0)
	return err
}

// work is what workers do all the time: threads, timers, memory, random numbers.
func work() error {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			goruntime.LockOSThread() // so that there are threads
			b := make([]byte, 4<<20)
			rand.Read(b)
			time.Sleep(20 * time.Millisecond)
		})
	}
	all.Wait()
	for until := time.Now().Add(100 * time.Millisecond); time.Now().Before(until); {
		goruntime.GC() // and preemption by signals
	}
	_ = time.Now().Format(time.RFC3339) // in the local time zone
	return nil
}

// target is what attempts are directed at.
type target struct {
	pid, port int
	file      string
}

func newTarget(t *testing.T) target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return target{os.Getpid(), ln.Addr().(*net.TCPAddr).Port, file}
}

// attempt makes one in a process of its own, and returns how it ended and what it said.
func (g target) attempt(t *testing.T, how, name string) (syscall.WaitStatus, string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", escapeRole, how, name, strconv.Itoa(g.pid), strconv.Itoa(g.port), g.file)
	cmd.Env = worker.Environment()
	if how != "filter" {
		worker.Separate(cmd)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Skipf("this kernel does not let us make namespaces: %v", err)
	}
	_ = cmd.Wait() // the status tells
	return cmd.ProcessState.Sys().(syscall.WaitStatus), said.String()
}

// opens are the attempts to open files, which are refused.
var opens = []string{"open", "open program", "list", "create", "create here"}

// The filter alone ends a process that tries anything but to go on.
func TestFilter(t *testing.T) {
	g := newTarget(t)
	for name := range attempts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, said := g.attempt(t, "filter", name)
			if name == "work" {
				if said != "done" || status.ExitStatus() != 0 {
					t.Errorf("work: status %#x, %s", status, said)
				}
				return
			}
			if slices.Contains(opens, name) {
				if status.ExitStatus() != 3 || !strings.HasPrefix(said, "refused: ") {
					t.Errorf("status %#x, it said %q; want a refusal", status, said)
				}
				return
			}
			if !status.Signaled() || status.Signal() != syscall.SIGSYS {
				t.Errorf("status %#x, want the signal SIGSYS; it said %q", status, said)
			}
		})
	}
}

// Without the filter there is nothing to be found either.
func TestNamespaces(t *testing.T) {
	g := newTarget(t)
	for _, name := range append(slices.Clone(opens), "connect", "fork and exec", "exec", "trace", "kill", "kill thread", "open process", "read process") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, said := g.attempt(t, "namespaces", name)
			if status.ExitStatus() != 3 || !strings.HasPrefix(said, "refused: ") {
				t.Errorf("status %#x, it said %q; want a refusal", status, said)
			}
		})
	}
}

// Both together leave a process that works.
func TestConfined(t *testing.T) {
	status, said := newTarget(t).attempt(t, "whole", "work")
	if said != "done" || status.ExitStatus() != 0 {
		t.Errorf("status %#x, %s", status, said)
	}
}
