// Package server runs servers, each a process of its own on a free port of
// 127.0.0.1, and loads them. Start with Process.
package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second // within which a server must be ready
	stopTime  = 5 * time.Second  // after which a server that was asked to end is killed
)

// Process is a server that is running. It is used by one goroutine.
type Process struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc // asks it to end
	log    string             // file of its standard error
	lines  *os.File           // where it says that it is ready
	URL    string             // what answers "hello"
}

// command makes a process that does not run yet. Its log goes to dir. It gets
// SIGTERM when ctx ends or Close is called.
func command(ctx context.Context, dir, name string, args ...string) *Process {
	ctx, cancel := context.WithCancel(ctx)
	p := &Process{cmd: exec.CommandContext(ctx, name, args...), cancel: cancel, log: filepath.Join(dir, "log")}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopTime
	return p
}

// start starts the process and reads what it writes to a pipe, which attach
// puts in its place, up to the line in which ready finds what the caller needs.
// No more than that is read: servers write nothing more there.
func (p *Process) start(attach func(*os.File), ready func(line string) bool) error {
	if err := p.run(attach); err != nil {
		p.cancel()
		return fmt.Errorf("start server: %w", err)
	}
	if err := p.await(ready); err != nil {
		p.Close()
		return p.explain(err)
	}
	return nil
}

func (p *Process) run(attach func(*os.File)) error {
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	lines, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close() // so that the lines end with the process
	attach(w)
	p.cmd.Stderr, p.lines = log, lines
	if err := p.cmd.Start(); err != nil {
		lines.Close()
		return err
	}
	return nil
}

func (p *Process) await(ready func(string) bool) error {
	if err := p.lines.SetReadDeadline(time.Now().Add(startTime)); err != nil {
		return err
	}
	for scanner := bufio.NewScanner(p.lines); ; {
		if !scanner.Scan() {
			return fmt.Errorf("wait for %s to be ready: %w", filepath.Base(p.cmd.Path), orEOF(scanner.Err()))
		}
		if ready(scanner.Text()) {
			return nil
		}
	}
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// explain adds the end of the process's log to an error.
func (p *Process) explain(err error) error {
	text, _ := os.ReadFile(p.log) // what there is of it
	return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
}

// Close ends the process and waits for it.
func (p *Process) Close() error {
	p.cancel()
	p.cmd.Wait() //nolint:errcheck // it was told to end; how it took that doesn't matter
	return p.lines.Close()
}
