package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// guest is a module with a request to ask it.
type guest struct {
	name   string
	wasm   func(testing.TB) []byte
	method string
	body   string
}

// guests are what all engines and front ends are measured with.
var guests = []guest{
	{"tiny", tiny, "GET", ""},
	{"go-hello", goGuest("../examples/hello"), "GET", ""},
	{"go-json", goGuest("guests/json"), "POST", `{"customer":"Ada","items":[{"name":"tea","count":3,"price":4.5},{"name":"cake","count":1,"price":12},{"name":"milk","count":2,"price":0.9}]}`},
}

func (g guest) request() host.Request {
	return hosttest.Request(g.method, "http://bench.localhost/", g.body, "host", "bench.localhost")
}

// tiny answers "hello" in six instructions.
func tiny(testing.TB) []byte {
	const text = "hello"
	var m hosttest.Module
	table := native.New().Modules()[0]
	respond, _ := table.Find("respond")
	call := m.Import(table.Name, respond.Name, respond.Params, respond.Results)
	m.Memory(2)
	m.Data(0, []byte(text))
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(int32(len(text))),
		hosttest.Call(call), hosttest.Drop)
	return m.Bytes()
}

// goGuest builds the Go project in dir, once per run.
func goGuest(dir string) func(testing.TB) []byte {
	var once sync.Once
	var wasm []byte
	return func(t testing.TB) []byte {
		once.Do(func() { wasm = buildGo(t, dir) })
		if wasm == nil {
			t.Fatalf("%s was not built", dir)
		}
		return wasm
	}
}

func buildGo(t testing.TB, dir string) []byte {
	out := filepath.Join(os.TempDir(), "mayfly-bench-"+strings.ReplaceAll(filepath.Base(dir), "/", "-")+".wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", dir, err, text)
	}
	defer os.Remove(out)
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}
