package compile_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/compile"
)

// fill compiles modules for ever, and says when each is there.
func fill(dir string) error {
	c, err := compile.Open(compile.Config{Dir: dir, Command: child, Limits: patient, Logger: quiet, MaxBytes: 2000, Parallel: 2})
	if err != nil {
		return err
	}
	fmt.Println("open")
	for n := 0; ; n++ {
		if err := c.Ensure(context.Background(), answers(n%20)); err != nil {
			return err
		}
	}
}

// wait compiles with a child that never ends and that keeps standard output open.
func wait(dir string) error {
	c, err := compile.Open(compile.Config{Dir: dir, Logger: quiet, Command: func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "echo started >&3; exec sleep 100000", "sh")
		cmd.ExtraFiles = []*os.File{os.Stdout}
		return cmd
	}})
	if err != nil {
		return err
	}
	return c.Ensure(context.Background(), answers(1))
}

// A server that is killed at any moment leaves a directory that the next one can
// use, beside another one that is still running.
func TestKilledServer(t *testing.T) {
	dir := dirOfMany(t)
	cfg, _ := counted(dir)
	beside := mustOpen(t, cfg)
	besideEngine := mustEngine(t, beside)
	rounds := 30
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		killed := play(t.Context(), roleFill, dir)
		out, err := killed.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanln(out, new(string)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 1700 * time.Microsecond) // to hit any step; which one doesn't matter
		if err := killed.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := killed.Wait(); err == nil {
			t.Fatal("the server ended by itself")
		}
		c := mustOpen(t, cfg)
		wantRun(t, c, mustEngine(t, c), i%20)
		wantRun(t, beside, besideEngine, (i+1)%20)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantWorkDirs(t, cfg, 1)
}

// wantWorkDirs opens the directory until the work of processes that ended is
// gone: a child that was just being started may hold a killed server's lock for a
// moment longer.
func wantWorkDirs(t testing.TB, cfg compile.Config, want int) {
	t.Helper()
	var work []string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		c, err := compile.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if work, err = filepath.Glob(filepath.Join(cfg.Dir, "work-*")); err != nil {
			t.Fatal(err)
		}
		if len(work) == want {
			return
		}
	}
	t.Errorf("work directories: %v, want %d", work, want)
}

// The steps in which code gets to its place, as a crash leaves them.
func TestCrashBetweenSteps(t *testing.T) {
	for name, crash := range map[string]func(dir, entry, manifest string) error{
		"while compiling": func(dir, entry, manifest string) error {
			work := filepath.Join(dir, "work-1", "2", filepath.Base(filepath.Dir(entry)))
			return firstErr(os.Remove(manifest), os.MkdirAll(work, 0o700), os.Rename(entry, filepath.Join(work, filepath.Base(entry)+".1.tmp")))
		},
		"before the entry": func(dir, entry, manifest string) error {
			return firstErr(os.MkdirAll(filepath.Join(dir, "work-1", "2"), 0o700), os.Remove(entry),
				os.Rename(manifest, filepath.Join(dir, "work-1", "2", "manifest")))
		},
		"before the manifest": func(dir, entry, manifest string) error { return os.Remove(manifest) },
		"old manifest":        func(dir, entry, manifest string) error { return flip(entry, 3) },
		"manifest first":      func(dir, entry, manifest string) error { return os.Remove(entry) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg, children := counted(dir)
			before := mustOpen(t, cfg)
			mustEnsure(t, before, answers(4))
			if err := before.Close(); err != nil {
				t.Fatal(err)
			}
			entry, manifest := mustCode(t, dir)
			if err := crash(dir, entry, manifest); err != nil {
				t.Fatal(err)
			}
			c := mustOpen(t, cfg)
			wantWorkDirs(t, cfg, 1)
			wantRun(t, c, mustEngine(t, c), 4)
			mustCode(t, dir)
			if got := children.Load(); got != 2 {
				t.Errorf("%d children ran, want 2", got)
			}
		})
	}
}

// Two processes, and two Caches in one of them, that remove each other's code.
func TestSharedDirectory(t *testing.T) {
	dir := dirOfMany(t)
	other := play(t.Context(), roleFill, dir)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := firstErr(other.Process.Kill(), other.Wait()); err != nil && err.Error() != "signal: killed" {
			t.Errorf("the other process: %v", err)
		}
	}()
	cfg, _ := counted(dir)
	cfg.MaxBytes = 2000
	caches := []*compile.Cache{mustOpen(t, cfg), mustOpen(t, cfg)}
	var wg sync.WaitGroup
	for _, c := range caches {
		engine := mustEngine(t, c)
		wg.Go(func() {
			for n := range 40 {
				if got, err := run(c, engine, answers(n%20)); err != nil || got != uint64(n%20) {
					t.Errorf("run: got %d, %v; want %d", got, err, n%20)
				}
			}
		})
	}
	wg.Wait()
}

// A child that is killed in the middle of its work is somebody's mistake, not the
// module's; asking again works.
func TestKilledChild(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	c := mustOpen(t, compile.Config{Dir: dirOfMany(t), Limits: patient, Logger: quiet, Command: func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `echo $$ >&3; exec "$0" "$@"`, os.Args[0], roleChild)
		cmd.ExtraFiles = []*os.File{write}
		return cmd
	}})
	result := make(chan error)
	go func() { result <- c.Ensure(t.Context(), nest(500)) }()
	var pid int
	if _, err := fmt.Fscanln(read, &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-result; host.CodeOf(err) != host.CodeInternal {
		t.Errorf("got %v, want an internal error", err)
	}
	mustEnsure(t, c, answers(1))
}
