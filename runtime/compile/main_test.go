package compile_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/tetratelabs/wazero"
)

// The test binary plays the server and its children.
const (
	roleChild = "play-child" // compile.Child
	roleServe = "play-serve" // loads the module on stdin, runs it, prints the answer
	roleFill  = "play-fill"  // compiles module after module until it is killed
	roleFlips = "play-flips" // see damage_test.go
	roleWait  = "play-wait"  // see kill_test.go
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case roleChild:
		// Not os.Exit, before which the race detector waits for a second.
		syscall.Exit(compile.Child(os.Stdin, os.Stdout, os.Stderr, os.Args[2:]))
	case roleServe:
		exitWith(serve(os.Args[2]))
	case roleFill:
		exitWith(fill(os.Args[2]))
	case roleWait:
		exitWith(wait(os.Args[2]))
	case roleFlips:
		exitWith(flips(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// play starts the test binary in a role. Without environment, so that it writes
// no profile of the tests.
func play(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{}
	return cmd
}

func child(ctx context.Context) *exec.Cmd { return play(ctx, roleChild) }

var quiet = slog.New(slog.DiscardHandler)

// patient are limits that a busy machine does not reach.
var patient = compile.Limits{CPU: time.Hour, Wall: time.Hour}

// counted is a Config whose children are counted.
func counted(dir string) (compile.Config, *atomic.Int64) {
	n := new(atomic.Int64)
	return compile.Config{Dir: dir, Logger: quiet, Limits: patient, Command: func(ctx context.Context) *exec.Cmd {
		n.Add(1)
		return child(ctx)
	}}, n
}

func mustOpen(t testing.TB, cfg compile.Config) *compile.Cache {
	t.Helper()
	c, err := compile.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// dirOfMany is a directory for processes of which some are killed, and may make a last
// file as they end.
func dirOfMany(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		for deadline := time.Now().Add(2 * time.Minute); os.RemoveAll(dir) != nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	})
	return dir
}

func mustEngine(t testing.TB, c *compile.Cache) wazero.Runtime {
	t.Helper()
	engine := wazero.NewRuntimeWithConfig(context.Background(), c.RuntimeConfig())
	t.Cleanup(func() { engine.Close(context.Background()) })
	return engine
}

func mustEnsure(t testing.TB, c *compile.Cache, code []byte) {
	t.Helper()
	if err := c.Ensure(context.Background(), code); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
}

// run loads a module and calls its export "run".
func run(c *compile.Cache, engine wazero.Runtime, code []byte) (answer uint64, err error) {
	compiled, err := c.Load(context.Background(), engine, code)
	if err != nil {
		return 0, err
	}
	return runCompiled(engine, compiled)
}

func runCompiled(engine wazero.Runtime, compiled compile.Compiled) (answer uint64, err error) {
	ctx := context.Background()
	defer compiled.Module.Close(ctx)
	instance, err := engine.InstantiateModule(ctx, compiled.Module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return 0, err
	}
	defer instance.Close(ctx)
	results, err := instance.ExportedFunction("run").Call(ctx)
	if err != nil {
		return 0, err
	}
	return results[0], nil
}

// recall is run for code of which only the digest is known, or run where that is
// not kept.
func recall(c *compile.Cache, engine wazero.Runtime, code []byte) (answer uint64, err error) {
	compiled, err := c.Recall(context.Background(), engine, sha256.Sum256(code))
	if errors.Is(err, compile.ErrNotKept) {
		return run(c, engine, code)
	}
	if err != nil {
		return 0, err
	}
	return runCompiled(engine, compiled)
}

func wantRun(t testing.TB, c *compile.Cache, engine wazero.Runtime, n int) {
	t.Helper()
	if got, err := run(c, engine, answers(n)); err != nil || got != uint64(n) {
		t.Fatalf("run: got %d, %v; want %d", got, err, n)
	}
}

func serve(dir string) error {
	code, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	c, err := compile.Open(compile.Config{Dir: dir, Command: child, Limits: patient, Logger: quiet})
	if err != nil {
		return err
	}
	engine := wazero.NewRuntimeWithConfig(context.Background(), c.RuntimeConfig())
	answer, err := run(c, engine, code)
	if err != nil {
		return err
	}
	fmt.Println(answer)
	return c.Close()
}

// wantServed runs a module in a process of its own.
func wantServed(t testing.TB, dir string, n int) {
	t.Helper()
	cmd := play(t.Context(), roleServe, dir)
	cmd.Stdin = bytes.NewReader(answers(n))
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintln(n); err != nil || string(out) != want {
		t.Fatalf("another process: got %q, %v; want %q", out, err, want)
	}
}

// files of the cache that have compiled code, and their manifests. Modules are
// beside their manifests, see moduleOf.
func listCode(t testing.TB, dir string) (entries, manifests []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		switch filepath.Ext(f) {
		case ".manifest":
			manifests = append(manifests, f)
		case ".module":
		default:
			entries = append(entries, f)
		}
	}
	return entries, manifests
}

func moduleOf(manifest string) string { return strings.TrimSuffix(manifest, ".manifest") + ".module" }

func mustCode(t testing.TB, dir string) (entry, manifest string) {
	t.Helper()
	entries, manifests := listCode(t, dir)
	if len(entries) != 1 || len(manifests) != 1 {
		t.Fatalf("the directory has %d entries and %d manifests, want one each", len(entries), len(manifests))
	}
	return entries[0], manifests[0]
}

// Modules.

func leb(n int) (s string) {
	for ; n >= 0x80; n >>= 7 {
		s += string([]byte{byte(n) | 0x80})
	}
	return s + string([]byte{byte(n)})
}

func section(id byte, content string) string {
	return string([]byte{id}) + leb(len(content)) + content
}

// module has one function, "run", without parameters.
func module(locals, code string) []byte {
	body := locals + code + "\x0b"
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x01\x7f") + section(3, "\x01\x00") +
		section(7, "\x01\x03run\x00\x00") + section(10, "\x01"+leb(len(body))+body))
}

// answers is a module that returns n, which is less than 2^31.
func answers(n int) []byte {
	return module("\x00", "\x41"+sleb(n))
}

func sleb(n int) (s string) {
	for ; n >= 0x40; n >>= 7 {
		s += string([]byte{byte(n) | 0x80})
	}
	return s + string([]byte{byte(n)})
}

// nest is loops in loops, each with a local of its own.
func nest(depth int) []byte {
	var open, end strings.Builder
	for i := range depth {
		open.WriteString("\x03\x40\x20" + leb(i) + "\x41\x01\x6a\x21" + leb(i))
		end.WriteString("\x20" + leb(i) + "\x0d\x00\x0b")
	}
	return module("\x01"+leb(depth)+"\x7f", open.String()+end.String()+"\x41\x00")
}

// adds is one straight function of n additions, which takes the compiler memory.
func adds(n int) []byte {
	return module("\x00", "\x41\x01"+strings.Repeat("\x41\x01\x6a", n))
}
