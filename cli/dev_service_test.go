package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// asking is a guest that answers with what the Function bound to PEER answers.
func asking() []byte {
	const text = "PEERGEThttp://peer/"
	m := new(hosttest.Module)
	index := map[string]uint32{}
	table := native.New().Modules()[0]
	for _, name := range []string{"fetcher_open", "fetcher_send", "fetch_body", "body_read", "respond"} {
		f, _ := table.Find(name)
		index[name] = m.Import(table.Name, name, f.Params, f.Results)
	}
	m.Memory(1)
	m.Data(0, []byte(text))
	numbers := func(values ...int32) (ops []byte) {
		for _, v := range values {
			ops = append(ops, hosttest.I32Const(v)...)
		}
		return ops
	}
	m.Func("fetch", nil, nil, []abi.Type{abi.I32},
		numbers(0, 4), hosttest.Call(index["fetcher_open"]),
		numbers(4, 3, 7, 12, 0, 0, 0, 0), hosttest.Call(index["fetcher_send"]),
		hosttest.Call(index["fetch_body"]), numbers(1024, 1024), hosttest.Call(index["body_read"]), hosttest.LocalSet(0),
		numbers(200, 0, 0, 1024), hosttest.LocalGet(0), hosttest.Call(index["respond"]), hosttest.Drop)
	return m.Bytes()
}

const calling = `
main = "app.wasm"
[[services]]
binding = "PEER"
service = "peer"
`

// A project that is served beside another is called by it, also once it was built
// again, or for the first time.
func TestDevService(t *testing.T) {
	peer := &session{dir: filepath.Join(t.TempDir(), "peer")}
	if err := os.Mkdir(peer.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	peer.mustWrite(t, "mayfly.toml", []byte("main = \"app.wasm\"\n[[kv_namespaces]]\nbinding = \"DATA\"\n"))
	peer.mustWrite(t, "app.wasm", []byte("<nonsense>"))
	app := &session{dir: filepath.Join(t.TempDir(), "app")}
	if err := os.Mkdir(app.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	app.mustWrite(t, "mayfly.toml", []byte(calling))
	app.mustWrite(t, "app.wasm", asking())
	p := start("dev", app.dir, "--port", "0", "--service", peer.dir)
	app.log = &p.log
	t.Cleanup(func() {
		if code := p.end(); code != 0 {
			t.Errorf("dev ended with %d: %s", code, app.log)
		}
	})
	if _, err := fmt.Fscanf(p.out, "Open %s\n", &app.url); err != nil {
		t.Fatalf("read URL: %v: %s", err, app.log)
	}
	app.mustBecome(t, 500, "service binding PEER: there is no Function peer here; start 'mayfly dev' with --service")
	peer.mustWrite(t, "app.wasm", tiny("one"))
	app.mustBecome(t, 200, "one", "could not be built")
	peer.mustWrite(t, "app.wasm", tiny("two"))
	app.mustBecome(t, 200, "two", "one")
}

func TestDevServiceRefused(t *testing.T) {
	app, other := t.TempDir(), t.TempDir()
	for dir, text := range map[string]string{app: "name = \"same\"\nmain = \"x.wasm\"\n", other: "name = \"same\"\nmain = \"y.wasm\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, "mayfly.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for service, want := range map[string]string{
		other:                          "have the same name, same; give one of them another",
		filepath.Join(other, "nobody"): "nobody",
	} {
		var out, errs strings.Builder
		code := cli.Run(t.Context(), []string{"dev", app, "--port", "0", "--service", service}, cli.Stdio{In: strings.NewReader(""), Out: &out, Err: &errs})
		if code == 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("--service %s: ended with %d and %q, want %q", service, code, errs.String(), want)
		}
	}
}
