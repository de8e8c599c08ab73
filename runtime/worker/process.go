//go:build linux

package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mayfly-run/mayfly/runtime"
	"golang.org/x/sys/unix"
)

// startTime is how long a worker may take to load and confine itself.
const startTime = 2 * time.Minute

// process is one worker, as the node sees it.
type process struct {
	cmd     *exec.Cmd
	control *channel
	gone    chan struct{} // closed when it has ended
	ending  string        // how; set before gone is closed
	base    atomic.Int64  // bytes that it had to itself before its first request
	words   head          // its last ones
	fate    atomic.Pointer[string]

	mu       sync.Mutex // guards what follows
	idle     []*channel // last in, first out
	busy     int        // Invocations under way
	used     time.Time
	retiring bool // takes no more Invocations
	kept     bool // not for being idle
}

// start starts a worker for a Parcel; nil is a trial. One that is kept is not ended
// for having nothing to do.
func (w *Workers) start(p *runtime.Parcel, kept bool) (*process, error) {
	job, err := w.job(p)
	if err != nil {
		return nil, err
	}
	cmd, ours, theirs, err := w.command()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if p != nil {
		file, zero, err := p.Image.File()
		if err != nil {
			return nil, errors.Join(err, ours.Close())
		}
		job.Zero = zero
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	pr := &process{cmd: cmd, control: newChannel(ours, smallFrame), gone: make(chan struct{}), kept: true}
	cmd.Stderr = &pr.words
	if err := w.spawner.start(cmd); err != nil {
		return nil, errors.Join(startError(err), ours.Close())
	}
	w.add(pr)
	if err := pr.begin(job); err != nil {
		pr.kill("it did not begin")
		<-pr.gone
		return nil, fmt.Errorf("start worker: %w: it %s", err, pr.ending)
	}
	base, _ := private(cmd.Process.Pid)
	pr.base.Store(base)
	pr.started(kept)
	return pr, nil
}

func (p *process) started(kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept, p.used = kept, time.Now()
}

// startError says what to do where the kernel does not allow namespaces.
func startError(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EUSERS) {
		return fmt.Errorf("start worker: the kernel does not let this user make namespaces (see user.max_user_namespaces and, where they exist, kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns): %w", err)
	}
	return fmt.Errorf("start worker: %w", err)
}

// job is what a worker is told. Code that is gone from disk can't be run.
func (w *Workers) job(p *runtime.Parcel) (*setup, error) {
	job := &setup{FilterOnly: w.cfg.FilterOnly, Empty: p == nil}
	if p == nil {
		return job, nil
	}
	var err error
	if job.Dir, job.ModuleFile, err = w.cfg.Code.Lend(w.base, p.Code); err != nil {
		return nil, fmt.Errorf("find code for worker: %w", err)
	}
	job.Code, job.Module, job.State, job.Program = p.Code, p.Module, p.State, p.Program
	return job, nil
}

func (p *process) begin(job *setup) error {
	if err := p.control.file.SetDeadline(time.Now().Add(startTime)); err != nil {
		return err
	}
	if err := p.control.send(kindSetup, job); err != nil {
		return err
	}
	var r ready
	if err := p.control.receive(kindReady, &r); err != nil {
		return err
	}
	if r.Err != "" {
		return errors.New(r.Err)
	}
	return p.control.file.SetDeadline(time.Time{})
}

func (p *process) wait() {
	err := p.cmd.Wait()
	p.ending = describe(p.cmd.ProcessState, err)
	if fate := p.fate.Load(); fate != nil {
		p.ending += " (" + *fate + ")"
	}
	if words := p.words.String(); words != "" {
		p.ending += ": " + words
	}
	close(p.gone)
	p.control.file.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retiring = true
	for _, c := range p.idle {
		c.file.Close()
	}
	p.idle = nil
}

func describe(state *os.ProcessState, err error) string {
	if state == nil {
		return fmt.Sprint(err)
	}
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGSYS:
		return "made a system call that it may not make"
	case status.Signaled():
		return "was ended by signal " + strings.ToLower(status.Signal().String())
	}
	return "ended with " + state.String()
}

// kill ends the worker for a reason that the log tells.
func (p *process) kill(why string) {
	p.fate.CompareAndSwap(nil, &why)
	p.cmd.Process.Kill()
}

func (p *process) death() string {
	<-p.gone
	return p.ending
}

func (p *process) dies(within time.Duration) bool {
	select {
	case <-p.gone:
		return true
	case <-time.After(within):
		return false
	}
}

func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		p.mu.Lock()
		defer p.mu.Unlock()
		return !p.retiring
	}
}

// retireDying takes no more requests for a worker that does not listen any more.
func (p *process) retireDying() {
	p.mu.Lock()
	p.retiring = true
	p.mu.Unlock()
	p.kill("it does not listen")
}

var errRetiring = errors.New("the worker takes no more requests")

// take takes a connection to the worker, or makes one.
func (p *process) take(most int) (*channel, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retiring {
		return nil, errRetiring
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.busy++
		c.most = most
		return c, nil
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := sendFile(p.control.file, theirs); err != nil {
		p.retiring = true
		p.kill("it does not listen")
		return nil, errors.Join(fmt.Errorf("connect to worker: %w", err), ours.Close())
	}
	p.busy++
	return newChannel(ours, most), nil
}

// maxIdle is how many connections to one worker wait for the next request.
const maxIdle = 64

// put ends what take began. A connection that is not whole is closed.
func (p *process) put(c *channel, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.used = time.Now()
	if !whole || p.retiring || len(p.idle) >= maxIdle {
		c.file.Close()
		return
	}
	p.idle = append(p.idle, c)
}

// retire ends the worker if no Invocation is under way and it was not used since some
// moment, and reports whether it was so.
func (p *process) retire(since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept || p.retiring || p.busy > 0 || p.used.After(since) {
		return false
	}
	p.retiring = true
	p.kill(notNeeded)
	return true
}

// sendFile sends a file over a socket, with one byte.
func sendFile(socket, file *os.File) error {
	conn, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = conn.Write(func(fd uintptr) bool {
		sendErr = unix.Sendmsg(int(fd), []byte{0}, unix.UnixRights(int(file.Fd())), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return sendErr != unix.EAGAIN
	})
	return errors.Join(err, sendErr)
}

// private is how many bytes a process has to itself: what is resident and not of a
// file, such as the image.
func private(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(data), &size, &resident, &shared); err != nil {
		return 0, err
	}
	return (resident - shared) * int64(os.Getpagesize()), nil
}

// head keeps the beginning of what is written to it.
type head struct {
	mu   sync.Mutex // guards text
	text []byte
}

const headSize = 4 << 10

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, p[:min(len(p), headSize-len(h.text))]...)
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(string(h.text))
}

// stop ends a worker that has nothing to do any more.
func (p *process) stop() {
	p.mu.Lock()
	p.retiring = true
	p.mu.Unlock()
	p.kill(notNeeded)
}

const notNeeded = "it is not needed any more"

// expected says whether the worker's end was nobody's fault.
func (p *process) expected() bool {
	why := p.fate.Load()
	return why != nil && (*why == notNeeded || *why == nodeEnds)
}

const nodeEnds = "the node ends"
