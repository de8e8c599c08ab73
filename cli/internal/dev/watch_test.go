package dev_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/dev"
	"golang.org/x/tools/txtar"
)

// mustFiles writes the files of an archive to a folder named "app".
func mustFiles(t *testing.T, archive string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		mustWrite(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	return dir
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	dir := mustFiles(t, "-- a.go --\n-- sub/b.go --\n-- .git/c --\n")
	w, err := dev.Watch([]string{dir}, func(path string) bool { return filepath.Base(path) == ".git" })
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, test := range []struct {
		name string
		do   func() error
	}{
		{"write", func() error { return os.WriteFile(filepath.Join(dir, "a.go"), []byte("x"), 0o644) }},
		{"write below", func() error { return os.WriteFile(filepath.Join(dir, "sub", "b.go"), []byte("x"), 0o644) }},
		{"create", func() error { return os.WriteFile(filepath.Join(dir, "new.go"), nil, 0o644) }},
		{"create folder", func() error { return os.Mkdir(filepath.Join(dir, "more"), 0o755) }},
		{"write in new folder", func() error { return os.WriteFile(filepath.Join(dir, "more", "d.go"), nil, 0o644) }},
		{"rename", func() error { return os.Rename(filepath.Join(dir, "a.go"), filepath.Join(dir, "z.go")) }},
		{"remove", func() error { return os.Remove(filepath.Join(dir, "z.go")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.do(); err != nil {
				t.Fatal(err)
			}
			<-w.C
		})
	}
}

func TestWatchWantsFolders(t *testing.T) {
	if w, err := dev.Watch([]string{filepath.Join(t.TempDir(), "absent")}, nil); err == nil {
		w.Close()
		t.Error("watched a folder that is not there")
	}
}

func TestSources(t *testing.T) {
	const always = "mayfly.toml .dev.vars"
	for _, test := range []struct {
		name, files   string
		watched       []string
		sources, rest string
	}{
		{"go", "-- mayfly.toml --\nname = \"fn\"\n-- main.go --\n", []string{"."},
			always + " main.go static/a.html x.wasm",
			".mayfly .git .main.go.swp main.go~ node_modules fn.wasm fn.wasm-go-tmp-umask"},
		{"prebuilt", "-- mayfly.toml --\nmain = \"app.wasm\"\n", []string{"."},
			always + " app.wasm", ".mayfly"},
		{"command", "-- mayfly.toml --\nmain = \"out.wasm\"\n[build]\ncommand = \"make\"\n", []string{"."},
			always + " a.c", "out.wasm"},
		{"command and src", "-- mayfly.toml --\nmain = \"out.wasm\"\n[build]\ncommand = \"make\"\n-- src/a.c --\n", []string{"src", "."},
			always + " src src/a.c src/deep/b.c", "out.wasm a.o build srcs"},
		{"watch_dir", "-- mayfly.toml --\nmain = \"out.wasm\"\n[build]\ncommand = \"make\"\nwatch_dir = [\"one\", \"two/in\"]\n-- src/a.c --\n", []string{"one", "two/in", "."},
			always + " one/a two/in/b", "src src/a.c two two/out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := build.Open(mustFiles(t, test.files), "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, dir := range dev.Watched(p) {
				rel, err := filepath.Rel(p.Dir, dir)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, rel)
			}
			if !slices.Equal(got, test.watched) {
				t.Errorf("watched %v, want %v", got, test.watched)
			}
			checkIgnored(t, p, test.sources, false)
			checkIgnored(t, p, test.rest, true)
		})
	}
}

func checkIgnored(t *testing.T, p *build.Project, names string, want bool) {
	t.Helper()
	ignored := dev.Ignored(p, io.Discard)
	for _, name := range strings.Fields(names) {
		if got := ignored(filepath.Join(p.Dir, name)); got != want {
			t.Errorf("%s: ignored %v, want %v", name, got, want)
		}
	}
}

// A log in the project's folder must not be taken for a source: each build
// writes to it.
func TestLogIsNoSource(t *testing.T) {
	p, err := build.Open(mustFiles(t, "-- a.go --\n-- log --\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(p.Dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ignored := dev.Ignored(p, log)
	for name, want := range map[string]bool{"log": true, "a.go": false} {
		if got := ignored(filepath.Join(p.Dir, name)); got != want {
			t.Errorf("%s: ignored %v, want %v", name, got, want)
		}
	}
}
