package wasi_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/wasi"
)

// guest plays a WASI program.
type guest struct {
	*hosttest.Player
	t *testing.T
}

func newGuest(t *testing.T, inv hosttest.Invocation) *guest {
	t.Helper()
	return &guest{hosttest.NewPlayer(t, inv, wasi.Module()), t}
}

// do calls a function and returns its errno.
func (g *guest) do(name string, args ...uint64) uint64 {
	g.t.Helper()
	signed := make([]int64, len(args))
	for i, a := range args {
		signed[i] = int64(a)
	}
	return uint64(g.Must(name, signed...))
}

// want calls a function and checks its errno.
func (g *guest) want(errno uint64, name string, args ...uint64) {
	g.t.Helper()
	if got := g.do(name, args...); got != errno {
		g.t.Errorf("%s%v returned %d, want %d", name, args, got, errno)
	}
}

// Results are errnos; only proc_exit has none, because it does not return.
func TestModule(t *testing.T) {
	m := wasi.Module()
	if got := len(m.Funcs); got != 46 {
		t.Errorf("%d functions, want the 46 of preview 1", got)
	}
	seen := make(map[string]bool)
	for _, f := range m.Funcs {
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if want := f.Name != "proc_exit"; (len(f.Results) == 1) != want {
			t.Errorf("%s has results %v", f.Name, f.Results)
		}
	}
}

// signatures are those of the specification, as C compilers lower them: i is
// i32, I is i64, and what follows the colon is the result.
const signatures = `
args_get ii:i
args_sizes_get ii:i
environ_get ii:i
environ_sizes_get ii:i
clock_res_get ii:i
clock_time_get iIi:i
fd_advise iIIi:i
fd_allocate iII:i
fd_close i:i
fd_datasync i:i
fd_fdstat_get ii:i
fd_fdstat_set_flags ii:i
fd_fdstat_set_rights iII:i
fd_filestat_get ii:i
fd_filestat_set_size iI:i
fd_filestat_set_times iIIi:i
fd_pread iiiIi:i
fd_prestat_dir_name iii:i
fd_prestat_get ii:i
fd_pwrite iiiIi:i
fd_read iiii:i
fd_readdir iiiIi:i
fd_renumber ii:i
fd_seek iIii:i
fd_sync i:i
fd_tell ii:i
fd_write iiii:i
path_create_directory iii:i
path_filestat_get iiiii:i
path_filestat_set_times iiiiIIi:i
path_link iiiiiii:i
path_open iiiiiIIii:i
path_readlink iiiiii:i
path_remove_directory iii:i
path_rename iiiiii:i
path_symlink iiiii:i
path_unlink_file iii:i
poll_oneoff iiii:i
proc_exit i:
proc_raise i:i
random_get ii:i
sched_yield :i
sock_accept iii:i
sock_recv iiiiii:i
sock_send iiiii:i
sock_shutdown ii:i
`

func TestSignatures(t *testing.T) {
	m := wasi.Module()
	for line := range strings.Lines(strings.TrimSpace(signatures)) {
		name, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		f, ok := m.Find(name)
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		if got := letters(f.Params) + ":" + letters(f.Results); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func letters(types []byte) string {
	return strings.NewReplacer(string([]byte{abi.I32}), "i", string([]byte{abi.I64}), "I").Replace(string(types))
}

// What needs a file or a socket says what kind of descriptor it misses.
func TestUnfit(t *testing.T) {
	const (
		ebadf, einval, enotdir, enotsock, enotsup, espipe = 8, 28, 54, 57, 58, 70
	)
	want := map[string]uint64{
		"fd_advise": espipe, "fd_allocate": espipe, "fd_pread": espipe, "fd_pwrite": espipe,
		"fd_seek": espipe, "fd_tell": espipe, "fd_datasync": einval, "fd_sync": einval,
		"fd_filestat_set_size": einval, "fd_filestat_set_times": einval,
		"fd_fdstat_set_rights": enotsup, "fd_prestat_get": ebadf, "fd_prestat_dir_name": enotdir,
		"fd_readdir": enotdir, "path_create_directory": enotdir, "path_filestat_get": enotdir,
		"path_filestat_set_times": enotdir, "path_link": enotdir, "path_open": enotdir,
		"path_readlink": enotdir, "path_remove_directory": enotdir, "path_rename": enotdir,
		"path_symlink": enotdir, "path_unlink_file": enotdir, "sock_accept": enotsock,
		"sock_recv": enotsock, "sock_send": enotsock, "sock_shutdown": enotsock,
	}
	g := newGuest(t, hosttest.Invocation{})
	m := wasi.Module()
	for name, errno := range want {
		f, ok := m.Find(name)
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		args := make([]uint64, len(f.Params))
		fd := 0
		if name == "path_symlink" {
			fd = 2
		}
		g.want(errno, name, args...)
		args[fd] = 3
		g.want(ebadf, name, args...)
		args[fd] = 1<<32 - 1
		g.want(ebadf, name, args...)
	}
}

// flush ends what the guest has begun to log and returns the log.
func (g *guest) flush() []hosttest.LogEntry {
	wasi.Flush(g.Call)
	return g.End().Log
}
