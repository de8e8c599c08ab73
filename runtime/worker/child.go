//go:build linux

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"golang.org/x/sys/unix"
)

// Files that a worker begins with.
const (
	controlFile = 3
	imageFile   = 4
)

// Child is the main function of a worker: it loads what it is told, confines itself,
// and runs guests until the node closes the control socket. It returns the exit code.
func Child(stderr io.Writer) int {
	if err := errors.Join(closeInherited(), unix.SetNonblock(controlFile, true)); err != nil {
		fmt.Fprintln(stderr, "this starts a worker of a node: it needs the node's socket as file 3")
		return 2
	}
	control := newChannel(os.NewFile(controlFile, "control"), maxSetup)
	if err := child(control, confine); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// closeInherited closes what the node itself has inherited from who started it. What
// Go's own runtime may have opened already are epoll and eventfd.
func closeInherited() error {
	const fds = "/proc/self/fd"
	files, err := os.ReadDir(fds)
	if err != nil {
		return err
	}
	for _, f := range files {
		n, err := strconv.Atoi(f.Name())
		if err != nil || n <= imageFile {
			continue
		}
		if target, err := os.Readlink(fds + "/" + f.Name()); err == nil && !strings.HasPrefix(target, "anon_inode:[event") {
			_ = unix.Close(n)
		}
	}
	return nil
}

// maxSetup is more than the node says of a Parcel: a bit of each page, globals, and a program.
const maxSetup = 1 << 30

func child(control *channel, confine func(filterOnly bool) error) error {
	var job setup
	if err := control.receive(kindSetup, &job); err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	s, err := load(&job)
	if err == nil {
		err = confine(job.FilterOnly)
	}
	var r ready
	if err != nil {
		r.Err = err.Error()
	}
	if err := errors.Join(err, control.send(kindReady, &r)); err != nil {
		return err
	}
	return accept(control.file, s)
}

// load makes the Snapshot, and opens what can't be opened later. There is none in a
// trial.
func load(job *setup) (*runtime.Snapshot, error) {
	if job.Empty {
		return nil, nil
	}
	_ = memory.OpenPagemap() // where there is none, whole images are copied back
	code, err := os.ReadFile(job.ModuleFile)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	reader, err := compile.OpenReader(job.Dir)
	if err != nil {
		return nil, fmt.Errorf("open code: %w", err)
	}
	ctx := context.Background()
	r, err := runtime.New(ctx, runtime.Config{ABIs: []abi.ABI{js.New(), native.New(), wagi.New()}, Code: reader, Whole: true})
	if err != nil {
		return nil, err
	}
	img, err := memory.OpenImage(os.NewFile(imageFile, "image"), job.Zero)
	if err != nil {
		return nil, err
	}
	s, err := r.Unpack(ctx, &runtime.Parcel{Code: job.Code, Module: job.Module, State: job.State, Program: job.Program, Image: img}, code)
	debug.FreeOSMemory() // what loading took
	return s, err
}

// accept takes connections until the control socket ends.
func accept(control *os.File, s *runtime.Snapshot) error {
	var live sync.WaitGroup
	defer live.Wait()
	for {
		file, err := receiveFile(control)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			os.Exit(0) // the node is gone, and so is who waits for answers
		}
		if err != nil {
			return fmt.Errorf("accept connection: %w", err)
		}
		live.Go(func() { newGuest(file, s).serve() })
	}
}

// receiveFile takes what sendFile sent.
func receiveFile(socket *os.File) (file *os.File, err error) {
	conn, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var receiveErr error
	err = conn.Read(func(fd uintptr) bool {
		file, receiveErr = receive(int(fd))
		return receiveErr != unix.EAGAIN
	})
	return file, errors.Join(err, receiveErr)
}

func receive(socket int) (*os.File, error) {
	var data [1]byte
	var rights [64]byte
	n, nrights, _, _, err := unix.Recvmsg(socket, data[:], rights[:], unix.MSG_CMSG_CLOEXEC)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, io.EOF
	}
	messages, err := unix.ParseSocketControlMessage(rights[:nrights])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("a connection without a socket: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("a connection with %d sockets: %w", len(fds), err)
	}
	return os.NewFile(uintptr(fds[0]), "node"), nil
}
