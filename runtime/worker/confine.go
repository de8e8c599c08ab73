//go:build linux

package worker

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

const (
	workerFiles = 8192 // open files: one for each Invocation at the same time, and a few
)

// confine gives up everything that guests don't need. What stays is what is open: the
// socket to the node, the image, standard error, and /proc/self/pagemap.
//
// With namespaces, which the node has made with the process, there is no file, no
// network interface, no other process and no privilege even for one that gets around
// the filter. Without, the filter alone stands between a worker and what the user of
// the node may do.
func confine(filterOnly bool) error {
	goruntime.LockOSThread() // no_new_privs, which the filter needs, is this thread's at first
	defer goruntime.UnlockOSThread()
	_, _ = time.Now().Zone() // loads the time zone while there are files
	if err := sacrifice(); err != nil {
		return fmt.Errorf("offer the process to the kernel when memory is short: %w", err)
	}
	if err := limit(); err != nil {
		return fmt.Errorf("limit the process: %w", err)
	}
	if !filterOnly {
		if err := emptyRoot(); err != nil {
			return fmt.Errorf("empty the file system: %w", err)
		}
		if err := dropCapabilities(); err != nil {
			return fmt.Errorf("drop capabilities: %w", err)
		}
	}
	if err := seccomp.LoadFilter(filter(os.Getpid())); err != nil {
		return fmt.Errorf("filter system calls: %w", err)
	}
	return nil
}

// sacrifice has the kernel end workers before the node.
func sacrifice() error {
	return os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(1000)), 0)
}

func limit() error {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		return err
	}
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CORE:     0,
		unix.RLIMIT_MEMLOCK:  0,
		unix.RLIMIT_MSGQUEUE: 0,
		unix.RLIMIT_NOFILE:   min(workerFiles, now.Max),
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("resource %d: %w", resource, err)
		}
	}
	return nil
}

// emptyRoot makes a file system without files the root, and lets go of the others.
func emptyRoot() error {
	const root = "/proc" // a directory that is there in any case
	steps := []struct {
		what string
		do   func() error
	}{
		{"separate", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount", func() error {
			return unix.Mount("none", root, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,mode=0555")
		}},
		{"enter", func() error { return unix.Chdir(root) }},
		{"turn", func() error { return unix.PivotRoot(".", ".") }}, // the old root lies over the new one then
		{"let go", func() error { return unix.Unmount(".", unix.MNT_DETACH) }},
		{"enter the root", func() error { return unix.Chdir("/") }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// dropCapabilities drops what the process is allowed in its own namespaces. With C's
// library, as in a binary that looks for races, Go can't do it for all threads: the
// filter has to be enough.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 && !errors.Is(errno, errors.ErrUnsupported) {
		return errno
	}
	return nil
}
