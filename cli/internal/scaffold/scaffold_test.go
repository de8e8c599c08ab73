package scaffold_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/scaffold"
	"github.com/mayfly-run/mayfly/cli/internal/scaffold/sdktar"
	"golang.org/x/tools/txtar"
)

func TestArchiveIsCurrent(t *testing.T) {
	want, err := sdktar.Pack(os.DirFS("../../../sdk/go"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("sdk-go.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("sdk-go.txtar is not what sdk/go is now: run go generate ./cli/internal/scaffold")
	}
}

func TestPack(t *testing.T) {
	packed, err := sdktar.Pack(fstest.MapFS{
		"go.mod":         {Data: []byte("module x\n")},
		"a.go":           {Data: []byte("package x\n")},
		"a_test.go":      {Data: []byte("package x\n")},
		"sub/b.go":       {Data: []byte("package sub\n")},
		"testdata/c.go":  {Data: []byte("package c\n")},
		".hidden/d.go":   {Data: []byte("package d\n")},
		"sub/guest.wasm": {Data: []byte("\x00asm")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "-- a.go --\npackage x\n-- go.mod --\nmodule x\n-- sub/b.go --\npackage sub\n"
	if string(packed) != want {
		t.Errorf("got %q, want %q", packed, want)
	}
	if len(txtar.Parse(packed).Files) != 3 {
		t.Error("the archive can't be read back")
	}
}

// A file that txtar would read as two must not be packed.
func TestPackRefusesHeaders(t *testing.T) {
	if _, err := sdktar.Pack(fstest.MapFS{"a.go": {Data: []byte("/*\n-- b.go --\n*/\n")}}); err == nil {
		t.Error("packed a file with a txtar header in it")
	}
}

// Each language has a manifest whose main is there.
func TestCreateScripts(t *testing.T) {
	for _, language := range []string{"js", "ts"} {
		dir := filepath.Join(t.TempDir(), "hello")
		if err := scaffold.Create(dir, "hello", language); err != nil {
			t.Fatal(err)
		}
		p, err := build.Open(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if _, err := p.Build(t.Context(), &log); err != nil || log.Len() > 0 {
			t.Errorf("%s: %v\n%s", language, err, log.Bytes())
		}
		if _, err := os.Stat(filepath.Join(dir, ".gitignore")); err != nil {
			t.Error(err)
		}
	}
}

// A new project passes its own test and builds without a network.
func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "apps", "hello")
	if err := scaffold.Create(dir, "hello", "go"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"vet", "./..."},
		{"test", "./..."},
		{"build", "-mod=readonly", "-buildmode=c-shared", "-o", "hello.wasm", "."},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
		if args[0] == "build" {
			cmd.Env = append(cmd.Env, "GOOS=wasip1", "GOARCH=wasm")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", args, err, out)
		}
	}
}

func TestCreateLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Create(dir, "hello", "go"); !errors.Is(err, scaffold.ErrExists) {
		t.Errorf("got %v, want %v", err, scaffold.ErrExists)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d entries (%v), want the one that was there", len(entries), err)
	}
}
