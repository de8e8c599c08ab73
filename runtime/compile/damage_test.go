package compile_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/tetratelabs/wazero"
)

// Every bit position of a byte, over every byte of entry, manifest and module: damaged
// code is compiled again and never loaded. It happens in a process of its own, as
// wazero crashes over some of these.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	step := "1"
	if testing.Short() {
		step = "9"
	}
	out, err := play(t.Context(), roleFlips, dir, step).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var flipped, children int
	if _, err := fmt.Sscan(string(out), &flipped, &children); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if flipped < 25 || children != flipped+1 {
		t.Errorf("flipped %d bits, compiled %d times; want many, and once more than bits", flipped, children)
	}
}

// flips inverts one bit in every byte, or in every step-th.
func flips(dir, step string) error {
	every, err := strconv.Atoi(step)
	if err != nil {
		return err
	}
	cfg, children := counted(dir)
	c, err := compile.Open(cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	engine := wazero.NewRuntimeWithConfig(context.Background(), c.RuntimeConfig())
	if _, err := run(c, engine, answers(9)); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if err != nil {
		return err
	}
	flipped := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i := 0; i < len(data); i += every {
			if err := flip(file, i); err != nil {
				return err
			}
			flipped++
			if got, err := recall(c, engine, answers(9)); err != nil || got != 9 {
				return fmt.Errorf("byte %d of %s: got %d, %v", i, file, got, err)
			}
		}
	}
	fmt.Println(flipped, children.Load())
	return nil
}

// flip inverts a bit of byte i, another one for each i.
func flip(file string, i int) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	data[i] ^= 1 << (i % 8)
	return os.WriteFile(file, data, 0o600)
}

func TestDamage(t *testing.T) {
	truncate := func(n int64) func(string) error {
		return func(file string) error { return os.Truncate(file, n) }
	}
	appended := func(file string) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(file, append(data, 0), 0o600)
	}
	directory := func(file string) error {
		return os.MkdirAll(filepath.Join(file, "in", "the", "way"), 0o700)
	}
	remove := func(file string) error { return os.Remove(file) }
	for name, damage := range map[string]func(string) error{
		"empty": truncate(0), "short": truncate(50), "long": appended, "missing": remove,
		"directory": func(file string) error { return firstErr(remove(file), directory(file)) },
		"link": func(file string) error {
			return firstErr(os.Rename(file, file+".moved"), os.Symlink(file+".moved", file))
		},
		"dangling": func(file string) error { return firstErr(remove(file), os.Symlink("nowhere", file)) },
		"pipe":     func(file string) error { return firstErr(remove(file), exec.Command("mkfifo", file).Run()) },
	} {
		for _, which := range []string{"entry", "manifest", "module"} {
			t.Run(name+" "+which, func(t *testing.T) {
				dir := t.TempDir()
				cfg, children := counted(dir)
				c := mustOpen(t, cfg)
				mustEnsure(t, c, answers(3))
				entry, manifest := mustCode(t, dir)
				if err := damage(map[string]string{"entry": entry, "manifest": manifest, "module": moduleOf(manifest)}[which]); err != nil {
					t.Fatal(err)
				}
				if got, err := recall(c, mustEngine(t, c), answers(3)); err != nil || got != 3 {
					t.Fatalf("got %d, %v", got, err)
				}
				if got := children.Load(); got != 2 {
					t.Errorf("%d children ran, want 2", got)
				}
				mustOpen(t, cfg)
				mustCode(t, dir) // nothing is left of the damage
			})
		}
	}
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A manifest that is right, but of another module, must not be believed.
func TestForeignManifest(t *testing.T) {
	dir := t.TempDir()
	cfg, _ := counted(dir)
	c := mustOpen(t, cfg)
	engine := mustEngine(t, c)
	mustEnsure(t, c, answers(1))
	_, first := mustCode(t, dir)
	mustEnsure(t, c, answers(2))
	_, manifests := listCode(t, dir)
	for _, m := range manifests {
		if m == first {
			continue
		}
		data, err := os.ReadFile(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(first, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantRun(t, c, engine, 1)
	wantRun(t, c, engine, 2)
}

// Whatever a manifest or an entry holds, only what was recorded is taken.
func FuzzFiles(f *testing.F) {
	dir := f.TempDir()
	recorded := false
	c := mustOpen(f, compile.Config{Dir: dir, Logger: quiet, Command: func(ctx context.Context) *exec.Cmd {
		if recorded {
			return exec.CommandContext(ctx, filepath.Join(dir, "nothing"))
		}
		return child(ctx)
	}})
	mustEnsure(f, c, answers(3))
	recorded = true
	entry, manifest := mustCode(f, dir)
	good := map[string]string{entry: mustRead(f, entry), manifest: mustRead(f, manifest)}
	f.Add([]byte(good[entry]), []byte(good[manifest]))
	f.Add([]byte(good[entry][:20]), []byte(good[manifest]))
	f.Add([]byte(good[entry]), []byte(good[manifest][:136]))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, e, m []byte) {
		if err := firstErr(os.WriteFile(entry, e, 0o600), os.WriteFile(manifest, m, 0o600)); err != nil {
			t.Fatal(err)
		}
		got := c.Ensure(t.Context(), answers(3)) == nil
		if want := string(e) == good[entry] && string(m) == good[manifest]; got != want {
			t.Errorf("taken is %v, want %v", got, want)
		}
	})
}

func mustRead(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
