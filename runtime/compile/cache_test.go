package compile_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/tetratelabs/wazero"
)

func TestCompilesOnce(t *testing.T) {
	dir := t.TempDir()
	cfg, children := counted(dir)
	c := mustOpen(t, cfg)
	engine := mustEngine(t, c)
	for range 3 {
		wantRun(t, c, engine, 7)
	}
	mustEnsure(t, c, answers(7))
	if got := children.Load(); got != 1 {
		t.Errorf("%d children ran, want 1", got)
	}
	wantServed(t, dir, 7)
	c = mustOpen(t, cfg)
	wantRun(t, c, mustEngine(t, c), 7)
	if got := children.Load(); got != 1 {
		t.Errorf("%d children ran after opening again, want 1", got)
	}
}

func TestConcurrent(t *testing.T) {
	cfg, children := counted(t.TempDir())
	cfg.Parallel = 2
	c := mustOpen(t, cfg)
	engine := mustEngine(t, c)
	const modules, callers = 8, 6
	var wg sync.WaitGroup
	for n := range modules * callers {
		wg.Go(func() {
			want := n % modules
			if got, err := run(c, engine, answers(want)); err != nil || got != uint64(want) {
				t.Errorf("run: got %d, %v; want %d", got, err, want)
			}
		})
	}
	wg.Wait()
	if got := children.Load(); got != modules {
		t.Errorf("%d children ran, want %d", got, modules)
	}
}

// The code that is loaded is the file that the child made, and where there is
// none wazero must not make one.
func TestParentNeverCompiles(t *testing.T) {
	dir := t.TempDir()
	cfg, _ := counted(dir)
	c := mustOpen(t, cfg)
	engine := mustEngine(t, c)
	mustEnsure(t, c, answers(1))
	before, _ := mustCode(t, dir)
	info, err := os.Stat(before)
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, c, engine, 1)
	after, err := os.Stat(before)
	if err != nil || !os.SameFile(info, after) {
		t.Errorf("the entry was written again (%v)", err)
	}

	other := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfig())
	defer other.Close(t.Context())
	_, err = c.Load(t.Context(), other, answers(1))
	if err == nil || host.CodeOf(err) != host.CodeInternal {
		t.Errorf("Load into an engine that doesn't know the cache: got %v, want an internal error", err)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	cfg, children := counted(dir)
	c := mustOpen(t, cfg)
	for range 2 {
		err := c.Ensure(t.Context(), module("\x00", "\x41\x00\x42\x00\x6a"))
		e, ok := errors.AsType[*host.Error](err)
		if !ok || e.Code != host.CodeInvalid || !strings.Contains(e.Msg, "not valid WebAssembly") {
			t.Errorf("got %v, want that the module is not valid", err)
		}
	}
	if got := children.Load(); got != 2 {
		t.Errorf("%d children ran, want 2: a refusal is not kept", got)
	}
	if entries, manifests := listCode(t, dir); len(entries)+len(manifests) != 0 {
		t.Errorf("left %v %v", entries, manifests)
	}
}

func TestBrokenChildren(t *testing.T) {
	tests := []struct {
		name, shell string
	}{
		{"crashes", "kill -SEGV $$"},
		{"is killed", "kill -KILL $$"},
		{"fails", "exit 3"},
		{"prints nothing", "exit 0"},
		{"prints nonsense", "echo nonsense"},
		{"prints without end", "head -c 1000000 /dev/zero"},
		{"compiles nothing", `echo '{"format":1}'`},
		{"is of another version", `echo '{"format":99}'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg, _ := counted(dir)
			works := false
			good := cfg.Command
			cfg.Command = func(ctx context.Context) *exec.Cmd {
				if works {
					return good(ctx)
				}
				return exec.CommandContext(ctx, "/bin/sh", "-c", tt.shell, "sh")
			}
			c := mustOpen(t, cfg)
			if err := c.Ensure(t.Context(), answers(5)); host.CodeOf(err) != host.CodeInternal {
				t.Errorf("got %v, want an internal error", err)
			}
			works = true
			wantRun(t, c, mustEngine(t, c), 5)
		})
	}
}

// A child sees nothing of the server's environment.
func TestEnvironment(t *testing.T) {
	t.Setenv("MAYFLY_TEST_SECRET", "do not tell")
	c := mustOpen(t, compile.Config{Dir: t.TempDir(), Logger: quiet, Command: func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, "/bin/sh", "-c", "env >&2; exit 1", "sh")
	}})
	err := c.Ensure(t.Context(), answers(1))
	if err == nil || !strings.Contains(err.Error(), "GOMAXPROCS=1") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the child's environment: %v", err)
	}
}

func TestCommandNotFound(t *testing.T) {
	c := mustOpen(t, compile.Config{Dir: t.TempDir(), Logger: quiet, Command: func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, filepath.Join(t.TempDir(), "nothing"))
	}})
	if err := c.Ensure(t.Context(), answers(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %v", err, os.ErrNotExist)
	}
}

// Who stops waiting doesn't stop the child, and Close does.
func TestGivingUpAndClose(t *testing.T) {
	started := make(chan struct{})
	c := mustOpen(t, compile.Config{Dir: t.TempDir(), Logger: quiet, Command: func(ctx context.Context) *exec.Cmd {
		close(started)
		return exec.CommandContext(ctx, "/bin/sh", "-c", "exec sleep 1000", "sh")
	}})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- c.Ensure(ctx, answers(1)) }()
	<-started
	stays := make(chan error)
	go func() { stays <- c.Ensure(t.Context(), answers(1)) }()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that gave up: got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-stays; !errors.Is(err, compile.ErrClosed) {
		t.Errorf("the caller that stayed: got %v, want %v", err, compile.ErrClosed)
	}
	if err := c.Ensure(t.Context(), answers(2)); !errors.Is(err, compile.ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, compile.ErrClosed)
	}
}

func TestPermissions(t *testing.T) {
	tests := []struct {
		mode   os.FileMode
		opens  bool
		reason string
	}{
		{0o700, true, ""}, {0o755, true, ""}, {0o750, true, ""},
		{0o770, false, "others can write"}, {0o777, false, "others can write"}, {0o702, false, "others can write"},
	}
	for _, tt := range tests {
		t.Run(tt.mode.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, tt.mode); err != nil {
				t.Fatal(err)
			}
			c, err := compile.Open(compile.Config{Dir: dir, Command: child, Logger: quiet})
			if !tt.opens {
				if err == nil || !strings.Contains(err.Error(), tt.reason) {
					t.Fatalf("got %v, want %q", err, tt.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("mode is %v (%v), want 0700", info.Mode(), err)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := compile.Open(compile.Config{Dir: dir, Command: child}); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("got %v, want that it belongs to another user", err)
	}
}

func TestEviction(t *testing.T) {
	dir := t.TempDir()
	cfg, children := counted(dir)
	c := mustOpen(t, cfg)
	var size int64
	manifests := make([]string, 4) // by module
	for n, used := range []int64{1, 4, 2, 3} {
		mustEnsure(t, c, answers(n))
		manifests[n] = newManifest(t, dir, manifests[:n])
		setUse(t, manifests[n], used)
	}
	entries, _ := listCode(t, dir)
	for _, f := range append(entries, manifests...) {
		size += mustSize(t, f)
	}
	for _, m := range manifests {
		size += mustSize(t, moduleOf(m))
	}
	mustEnsure(t, c, answers(0)) // now it is the one used last, then 1, 3, 2

	cfg.MaxBytes = size * 3 / 4
	mustOpen(t, cfg)
	wantKept(t, manifests, true, true, false, true)
	cfg.MaxBytes = size / 2
	small := mustOpen(t, cfg)
	wantKept(t, manifests, true, true, false, false)

	engine := mustEngine(t, small)
	before := children.Load()
	wantRun(t, small, engine, 2) // a miss goes to the child again
	wantKept(t, manifests, true, false, true, false)
	if got := children.Load() - before; got != 1 {
		t.Errorf("%d children ran, want 1", got)
	}
	if entries, _ := listCode(t, dir); len(entries) != 2 {
		t.Errorf("%d entries are left, want 2", len(entries))
	}
}

func newManifest(t testing.TB, dir string, known []string) string {
	t.Helper()
	_, manifests := listCode(t, dir)
	for _, m := range manifests {
		if !slices.Contains(known, m) {
			return m
		}
	}
	t.Fatal("no new manifest")
	return ""
}

func mustSize(t testing.TB, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// setUse makes code look as if it was used some seconds after 1970.
func setUse(t testing.TB, manifest string, seconds int64) {
	t.Helper()
	used := time.Unix(seconds, 0)
	if err := os.Chtimes(manifest, used, used); err != nil {
		t.Fatal(err)
	}
}

func wantKept(t testing.TB, manifests []string, want ...bool) {
	t.Helper()
	for n, m := range manifests {
		if _, err := os.Stat(m); (err == nil) != want[n] {
			t.Errorf("module %d is on disk: %v, want %v", n, err == nil, want[n])
		}
	}
}

// Code comes back by its digest alone, also to another process, as long as it is
// kept; what was never there, or went, is ErrNotKept.
func TestRecall(t *testing.T) {
	cfg, children := counted(t.TempDir())
	mustEnsure(t, mustOpen(t, cfg), answers(5))
	c := mustOpen(t, cfg)
	engine := mustEngine(t, c)
	compiled, err := c.Recall(t.Context(), engine, sha256.Sum256(answers(5)))
	if err != nil || compiled.Size == 0 {
		t.Fatalf("%d bytes, %v", compiled.Size, err)
	}
	if got, err := runCompiled(engine, compiled); err != nil || got != 5 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := c.Recall(t.Context(), engine, sha256.Sum256(answers(6))); !errors.Is(err, compile.ErrNotKept) {
		t.Errorf("what was never compiled: %v", err)
	}
	if got := children.Load(); got != 1 {
		t.Errorf("%d children ran, want 1", got)
	}
}

// What is neither code nor a manifest goes, also from folders of other versions.
func TestStrayFiles(t *testing.T) {
	dir := t.TempDir()
	cfg, _ := counted(dir)
	mustEnsure(t, mustOpen(t, cfg), answers(1))
	entry, _ := mustCode(t, dir)
	old := filepath.Join(dir, "wazero-v0.1.0-amd64-linux")
	if err := os.Mkdir(old, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{entry + ".123.tmp", filepath.Join(filepath.Dir(entry), "x.manifest"), filepath.Join(old, "entry")} {
		if err := os.WriteFile(f, []byte("stray"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustOpen(t, cfg)
	mustCode(t, dir)
}

// Code that alone is more than the limit is still loaded, by many at once.
func TestTinyLimit(t *testing.T) {
	cfg, _ := counted(t.TempDir())
	cfg.MaxBytes, cfg.Parallel = 1, 2
	c := mustOpen(t, cfg)
	engine := mustEngine(t, c)
	var wg sync.WaitGroup
	for n := range 12 {
		wg.Go(func() {
			if got, err := run(c, engine, answers(n%4)); err != nil || got != uint64(n%4) {
				t.Errorf("run: got %d, %v; want %d", got, err, n%4)
			}
		})
	}
	wg.Wait()
}

func TestChildArguments(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		nil, {dir}, {dir, "1"}, {dir, "0", "1"}, {dir, "x", "1"}, {dir, "1", "-5"}, {filepath.Join(dir, "no"), "1", "1"}, {dir, "1", "1", "1"},
	} {
		var out, complaints strings.Builder
		if got := compile.Child(strings.NewReader(""), &out, &complaints, args); got != 2 || complaints.Len() == 0 || out.Len() != 0 {
			t.Errorf("Child(%q) = %d, %q, %q; want 2 and a complaint", args, got, out.String(), complaints.String())
		}
	}
}
