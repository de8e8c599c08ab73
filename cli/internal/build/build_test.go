package build_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"golang.org/x/tools/txtar"
)

// mustProject writes the files of an archive to a folder named "app".
func mustProject(t *testing.T, archive string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const command = `
-- go.mod --
module example.com/app
go 1.24
-- main.go --
package main
func main() { println("hello") }
`

func TestBuild(t *testing.T) {
	sdk, err := filepath.Abs("testdata/sdk")
	if err != nil {
		t.Fatal(err)
	}
	library := `
-- go.mod --
module example.com/app
go 1.24
require github.com/mayfly-run/mayfly/sdk/go v0.0.0
replace github.com/mayfly-run/mayfly/sdk/go => ` + sdk + `
-- cmd/fn/main.go --
package main
import _ "github.com/mayfly-run/mayfly/sdk/go"
func main() {}
-- mayfly.toml --
name = "lib"
main = "cmd/fn/main.go"
[env.next]
`
	for _, test := range []struct {
		name, files, stage string
		file               string // relative to the project
		export             string // of the module
	}{
		{"command without manifest", command, "", "app.wasm", "_start"},
		{"library by file", library, "", "lib.wasm", "_initialize"},
		{"stage", library, "next", "lib-next.wasm", "_initialize"},
		{"prebuilt", "-- mayfly.toml --\nmain = \"out/x.wasm\"\n-- out/x.wasm --\nexport: it\n", "", "out/x.wasm", "it"},
		{"TypeScript", "-- mayfly.toml --\nmain = \"src/index.ts\"\n-- src/index.ts --\nimport { x } from './x';\nexport default x as number;\n-- src/x.ts --\nexport const x: number = 42;\n", "", ".mayfly/build/app.js", "x = 42;"},
		{"JavaScript by command", "-- mayfly.toml --\nmain = \"out.js\"\n[build]\ncommand = \"echo 'export default 1234' > out.js\"\n", "", ".mayfly/build/app.js", "1234"},
		{"build command", "-- mayfly.toml --\nmain = \"x.wasm\"\n[build]\ncommand = \"echo made > ../x.wasm\"\ncwd = \"sub\"\n-- sub/x --\n", "", "x.wasm", "made"},
		{"build command before go", command + "-- mayfly.toml --\n[build]\ncommand = \"echo 'package main\\nfunc init() {}' > made.go\"\n", "", "app.wasm", "_start"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := mustProject(t, test.files)
			p, err := build.Open(dir, test.stage)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			got, err := p.Build(t.Context(), &log)
			if err != nil {
				t.Fatalf("%v\n%s", err, log.Bytes())
			}
			if want := filepath.Join(dir, test.file); got != want {
				t.Errorf("file %s, want %s", got, want)
			}
			if module, err := os.ReadFile(got); err != nil || !bytes.Contains(module, []byte(test.export)) {
				t.Errorf("%s does not have %q (%v)", got, test.export, err)
			}
		})
	}
}

func TestBuildFails(t *testing.T) {
	for _, test := range []struct{ name, files, want string }{
		{"compiler", "-- go.mod --\nmodule x\n-- main.go --\npackage main\nfunc main() { undefined1() }\n", "./main.go:2:15: undefined: undefined1"},
		{"syntax", "-- go.mod --\nmodule x\n-- main.go --\npackage main\nfunc main( {\n", "main.go:2:12: syntax error"},
		{"no go.mod", "-- main.go --\npackage main\nfunc main() {}\n", "go.mod"},
		{"missing import", "-- go.mod --\nmodule x\n-- main.go --\npackage main\nimport _ \"example.com/absent\"\nfunc main() {}\n", "example.com/absent"},
		{"TypeScript", "-- mayfly.toml --\nmain = \"a.ts\"\n-- a.ts --\nlet x: = 1\n", "a.ts:1:7"},
		{"missing package", "-- mayfly.toml --\nmain = \"a.js\"\n-- a.js --\nimport 'absent'\n", "Is its package installed (npm install)?"},
		{"module of Node.js", "-- mayfly.toml --\nmain = \"a.js\"\n-- a.js --\nimport 'node:fs'\n", "It is a module of Node.js, which Workers do not have here."},
		{"command", "-- mayfly.toml --\nmain = \"x.wasm\"\n[build]\ncommand = \"echo broken >&2; exit 3\"\n", "broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := build.Open(mustProject(t, test.files), "")
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			_, err = p.Build(t.Context(), &log)
			failed, ok := errors.AsType[*build.Failed](err)
			if !ok {
				t.Fatalf("got %v, want *Failed", err)
			}
			if !strings.Contains(log.String(), test.want) || log.String() != string(failed.Output) {
				t.Errorf("log %q and output %q, want both with %q", log.Bytes(), failed.Output, test.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ name, files, stage, want string }{
		{"unknown key", "-- mayfly.toml --\nnmae = \"x\"\n", "", `mayfly.toml:1:1: unknown key "nmae"`},
		{"nothing", "-- README --\n", "", "neither Go sources nor a module"},
		{"command without module", "-- mayfly.toml --\n[build]\ncommand = \"true\"\n", "", "main has to name the .wasm file"},
		{"stage without manifest", "-- main.go --\n", "next", "neither mayfly.toml nor wrangler.toml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := build.Open(mustProject(t, test.files), test.stage)
			if err == nil {
				_, err = p.Build(t.Context(), new(bytes.Buffer))
			}
			if _, ok := errors.AsType[*build.ManifestError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a *ManifestError with %q", err, test.want)
			}
		})
	}
}

func TestUnusableName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My App")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Open(dir, ""); err == nil || !strings.Contains(err.Error(), "mayfly.toml") {
		t.Errorf("got %v, want advice to name it in mayfly.toml", err)
	}
}

func TestCancel(t *testing.T) {
	p, err := build.Open(mustProject(t, "-- mayfly.toml --\nmain = \"x.wasm\"\n[build]\ncommand = \"echo started; sleep 60\"\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.Build(ctx, writerFunc(func([]byte) { cancel() })); err == nil {
		t.Error("a build that was cancelled succeeded")
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
