package js_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
)

func TestProgram(t *testing.T) {
	p := js.Program{Main: "a.js", Modules: []js.Source{
		{Name: "a.js", Type: js.TypeModule, Data: []byte("export default 1")},
		{Name: "./b.txt", Type: js.TypeText, Data: []byte("é\x00\xff")},
		{Name: "c.json", Type: js.TypeJSON},
	}}
	data, err := p.Encode()
	if err != nil || !js.IsProgram(data) {
		t.Fatalf("got %q, %v", data, err)
	}
	got, err := js.DecodeProgram(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("got %q, %v, want %q", again, err, data)
	}
	if js.IsProgram([]byte("\x00asm\x01\x00\x00\x00")) {
		t.Error("WebAssembly was taken for JavaScript")
	}
}

func TestProgramRefused(t *testing.T) {
	esm := func(name string) js.Source { return js.Source{Name: name, Type: js.TypeModule} }
	for _, tt := range []struct {
		program js.Program
		want    string
	}{
		{js.Program{}, `the Worker's main module "" is not among its JavaScript modules`},
		{js.Program{Main: "a.js"}, `the Worker's main module "a.js" is not among its JavaScript modules`},
		{js.Program{Main: "a", Modules: []js.Source{{Name: "a", Type: js.TypeText}}}, `the Worker's main module "a" is not among its JavaScript modules`},
		{js.Program{Main: "a", Modules: []js.Source{esm("a"), esm("a")}}, `the Worker has two modules named "a"`},
		{js.Program{Main: "a", Modules: []js.Source{esm("a"), esm("./a")}}, `the Worker has two modules named "./a"`},
		{js.Program{Main: "a", Modules: []js.Source{esm("a"), esm("")}}, `a module of the Worker has the name ""`},
		{js.Program{Main: "a", Modules: []js.Source{esm("a"), esm("b\x00")}}, `a module of the Worker has the name "b\x00"`},
		{js.Program{Main: "a", Modules: []js.Source{esm("a"), {Name: "b", Type: "py"}}}, `module "b" is of the type "py", which is not offered`},
		{js.Program{Main: "a", Modules: make([]js.Source, 10_001)}, "the Worker has 10001 modules; at most 10000 are accepted"},
	} {
		if _, err := tt.program.Encode(); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	for _, data := range []string{"", "mayfly worker 1\n", "mayfly worker 1\n{", "mayfly worker 1\n{}", "mayfly worker 1\n[]"} {
		if _, err := js.DecodeProgram([]byte(data)); host.CodeOf(err) != host.CodeInvalid {
			t.Errorf("%q: got %v, want an invalid Worker", data, err)
		}
	}
}

func TestDetaches(t *testing.T) {
	for source, want := range map[string]bool{
		`export default { async fetch(request) { return new Response("x") } }`: false,
		`export default { fetch: () => new Response(request.bodyUsed) }`:       false,
		`export default { fetch(r) { return fetch(r) } }`:                      true,
		`export default { fetch: (r, env) => env.ASSETS.fetch(r) }`:            true,
		`const all = Promise.all([fetch(a), fetch(b)])`:                        true,
		`export default { fetch(r, env, ctx) { ctx.waitUntil(x) } }`:           true,
		`new Response(new ReadableStream({}))`:                                 true,
		`new Response(upstream.body, upstream)`:                                true,
		`headers.set("content-type", "text/event-stream")`:                     true,
	} {
		p := js.Program{Main: "a", Modules: []js.Source{{Name: "a", Type: js.TypeModule, Data: []byte(source)}}}
		if got := p.Detaches(); got != want {
			t.Errorf("%s: got %v", source, got)
		}
	}
}

// Whatever is decoded is encoded as it was.
func FuzzDecodeProgram(f *testing.F) {
	f.Add([]byte(`mayfly worker 1` + "\n" + `{"main":"a.js","modules":[{"name":"a.js","type":"esm","data":"MQ=="}]}`))
	f.Add([]byte(`mayfly worker 1` + "\n" + `{"main":"a.js","modules":[{"name":"a.js","type":"esm","data":null},{"name":"../b","type":"text"}],"script":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := js.DecodeProgram(data)
		if err != nil {
			return
		}
		encoded, err := p.Encode()
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		again, err := js.DecodeProgram(encoded)
		if err != nil || again.Main != p.Main || len(again.Modules) != len(p.Modules) {
			t.Fatalf("got %+v, %v, want %+v", again, err, p)
		}
	})
}

// The platform is one function, and uses each operation, but for those that give
// the platform itself.
func TestPlatform(t *testing.T) {
	p := js.Platform()
	if !strings.HasPrefix(p, "(host, random, compile) => {") || !strings.HasSuffix(p, "return handle;\n}") {
		t.Error("the platform is not a function that returns the handler")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(p) {
		name, ok := strings.CutPrefix(line, "const op")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		if seen[name] {
			t.Errorf("op%s is there twice", name)
		}
		if seen[name] = true; strings.Count(p, "op"+name) < 2 && !strings.HasPrefix(name, "Platform") {
			t.Errorf("op%s is not used", name)
		}
	}
}
