//go:build linux

package worker

import (
	"syscall"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allowed are the system calls that a worker needs with any argument: for what it has
// open, for its own memory, threads, signals, clocks and random numbers. None opens a
// file or a socket, starts a program, or reaches another process.
var allowed = [...]string{
	"read", "write", "readv", "writev", "pread64", "pwrite64", "close", "lseek", "fstat", "newfstatat", "ftruncate", "recvmsg",
	"memfd_create", "munmap", "madvise", "mremap", "brk", "mincore",
	"futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "getpid", "gettid",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"epoll_wait", "epoll_pwait", "epoll_ctl", "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday",
	"getrandom", "exit", "exit_group",
}

// Arguments that the filter looks at.
const (
	pagemapScan  = 0xc0606610 // see runtime/memory
	prSetVMA     = 0x53564d41 // names a part of the memory, which Go does
	goThread     = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD
	cThread      = goThread | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID
	goThreadARM  = goThread | unix.CLONE_SETTLS
	killsProcess = seccomp.ActionKillProcess
)

// filter allows little; everything else ends the process, but for files, which can't
// be opened. No memory becomes executable any more, and a thread is the only thing that
// can be cloned.
func filter(pid int) seccomp.Filter {
	when := func(name string, argument uint32, op seccomp.Operation, value uint64) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: op, Value: value}}}
	}
	return seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: killsProcess,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: known(allowed[:])},
			{Action: seccomp.ActionAllow, NamesWithCondtions: []seccomp.NameWithConditions{
				when("mmap", 2, seccomp.BitsNotSet, unix.PROT_EXEC),
				when("mprotect", 2, seccomp.BitsNotSet, unix.PROT_EXEC),
				when("tgkill", 0, seccomp.Equal, uint64(pid)),
				when("clone", 0, seccomp.Equal, goThread),
				when("clone", 0, seccomp.Equal, cThread),
				when("clone", 0, seccomp.Equal, goThreadARM),
				when("ioctl", 1, seccomp.Equal, pagemapScan),
				when("getrusage", 0, seccomp.Equal, unix.RUSAGE_SELF), // counts page faults
				when("prctl", 0, seccomp.Equal, prSetVMA),
				when("fcntl", 1, seccomp.Equal, unix.F_GETFL),
				when("fcntl", 1, seccomp.Equal, unix.F_SETFL),
				when("fcntl", 1, seccomp.Equal, unix.F_ADD_SEALS),
			}},
			{Action: refuse(syscall.ENOSYS), Names: []string{"clone3"}}, // C's library tries clone then
			// A package of the NATS server reads what its process uses a second after the start,
			// in every process of the program, and gives up when it can't.
			{Action: refuse(syscall.EACCES), Names: []string{"openat"}},
			{Action: refuse(syscall.EPERM), NamesWithCondtions: []seccomp.NameWithConditions{ // as hardened kernels do
				when("prctl", 0, seccomp.NotEqual, prSetVMA),
			}},
		},
	}}
}

func refuse(errno syscall.Errno) seccomp.Action {
	return seccomp.Action(uint32(seccomp.ActionErrno) | uint32(errno))
}

// known are the names that this processor has: some system calls are of older ones
// only.
func known(names []string) (here []string) {
	info, err := arch.GetInfo("")
	if err != nil {
		return names
	}
	for _, name := range names {
		if _, ok := info.SyscallNames[name]; ok {
			here = append(here, name)
		}
	}
	return here
}
