package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/tetratelabs/wazero/api"
)

// built is a module with one page of memory, an empty fetch, and what before
// adds.
func built(before func(m *hosttest.Module)) string {
	var m hosttest.Module
	before(&m)
	m.Memory(1)
	m.Func("fetch", nil, nil, nil)
	return string(m.Bytes())
}

// refusedModules are modules with why each is refused.
func refusedModules() map[string][2]string {
	const magic = "\x00asm\x01\x00\x00\x00"
	module := func(build func(m *hosttest.Module)) string {
		var m hosttest.Module
		build(&m)
		return string(m.Bytes())
	}
	imports := func(from, name string) string {
		return built(func(m *hosttest.Module) { m.Import(from, name, nil, nil) })
	}
	const (
		invalid   = "the module is not valid WebAssembly: "
		noEntry   = `the module has no entry point: export "fetch" (native ABI) or "_start" (WASI command)`
		fromOurs  = "; this node offers functions from mayfly and wasi_snapshot_preview1 only"
		component = invalid + "at byte 4: this is a WebAssembly component; build a core module (for Go -buildmode=c-shared, for Rust target wasm32-wasip1)"
	)
	return map[string][2]string{
		"empty":             {"", invalid + "at byte 0: the file is empty"},
		"header only":       {magic, noEntry},
		"component":         {"\x00asm\x0d\x00\x01\x00", component},
		"wrong version":     {"\x00asm\x02\x00\x00\x00", invalid + "at byte 4: WebAssembly version 0x02000000 is not supported, only 1"},
		"random":            {strings.Repeat("mayfly", 100), invalid + `at byte 0: not a WebAssembly module: it does not begin with \0asm`},
		"no entry point":    {module(func(m *hosttest.Module) { m.Memory(1); m.Func("other", nil, nil, nil) }), noEntry},
		"unknown import":    {imports("env", "f"), "the module imports function env.f" + fromOurs},
		"unknown function":  {imports("mayfly", "nope"), "the module imports mayfly.nope, which this node does not offer"},
		"of another tenant": {imports("hello", "fetch"), "the module imports function hello.fetch" + fromOurs},
		"newer ABI": {imports("mayfly@2.0", "log"), "the module imports mayfly@2.0.log and so needs version 2.0 of the mayfly ABI; " +
			"this node offers 1.0: upgrade the node, or build with an older SDK"},
		"wrong signature": {imports("mayfly", "log"), "the module imports mayfly.log as () -> (); it is (i32 i32 i32) -> (i32)"},
		"imported memory": {magic + "\x02\x0f\x01\x03env\x06memory\x02\x00\x01", "the module imports memory env.memory" + fromOurs},
		"too much memory": {module(func(m *hosttest.Module) { m.Memory(4096); m.Func("fetch", nil, nil, nil) }),
			"the module needs 256 MiB of memory to start, and its limit is 128 MiB; raise limits.memory_mb, or build it with less"},
		"parameters of fetch": {module(func(m *hosttest.Module) {
			m.Memory(1)
			m.Func("fetch", []api.ValueType{api.ValueTypeI32}, nil, nil)
		}), `export "fetch" must have no parameters and no results`},
	}
}

func TestRefusedModules(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "x", `{"main_module":"main.wasm"}`, guest(1)), nil)
	for name, tt := range refusedModules() {
		t.Run(name, func(t *testing.T) {
			f.refused(t, call{method: "PUT", path: scripts + "/x", kind: "application/wasm", body: tt[0]}, 400, 10021, tt[1])
		})
	}
	if got := f.do(t, call{method: "GET", path: scripts + "/x"}).body; got != guest(1) {
		t.Error("a refused upload took the Function's place")
	}
}

func TestTruncatedModules(t *testing.T) {
	f := newFixture(t, options{})
	whole := built(func(m *hosttest.Module) { m.Data(0, []byte("data")) })
	for n := range len(whole) {
		a := f.do(t, call{method: "PUT", path: scripts + "/x", kind: "application/wasm", body: whole[:n]})
		if a.status != 400 && a.status != 200 { // a cut between two sections may leave a whole module
			t.Errorf("%d of %d bytes: got %d %s", n, len(whole), a.status, a.body)
		}
	}
}

func TestRefusedUploads(t *testing.T) {
	f := newFixture(t, options{maxModule: 1000})
	long := strings.Repeat("x", 1001)
	with := func(metadata string) call {
		if metadata = strings.TrimPrefix(metadata, "{"); metadata != "}" {
			metadata = "," + metadata
		}
		return upload(t, "local", "x", `{"main_module":"main.wasm"`+metadata, guest(1))
	}
	parts := func(p ...part) call {
		body, kind := form(t, p...)
		return call{method: "PUT", path: scripts + "/x", kind: kind, body: body}
	}
	bare := func(kind, body string) call {
		return call{method: "PUT", path: scripts + "/x", kind: kind, body: body}
	}
	metadata := part{"metadata", "application/json", `{"main_module":"main.wasm"}`}
	wasm := part{"main.wasm", "application/wasm", guest(1)}
	encoded := bare("application/wasm", "x")
	encoded.headers = []string{"Content-Encoding", "gzip"}
	named := func(name string) call {
		return call{method: "PUT", path: scripts + "/" + name, kind: "application/wasm", body: guest(1)}
	}
	const moduleJS = "application/javascript+module"
	const otherType = "send the module with Content-Type application/wasm or application/javascript+module, or a multipart/form-data with metadata and the modules"
	tests := []struct {
		name         string
		call         call
		status, code int
		msg          string
	}{
		{"too large", bare("application/wasm", long), 413, 10027, "the module has more than 1000 bytes, which is the limit"},
		{"too large in a form", parts(metadata, part{"main.wasm", "application/wasm", long}), 413, 10027, "the module has more than 1000 bytes, which is the limit"},
		{"form too large", parts(metadata, part{"main.wasm", "application/wasm", strings.Repeat("x", 3<<20)}), 413, 10027, "the module has more than 1000 bytes, which is the limit"},
		{"metadata too large", parts(part{"metadata", "", strings.Repeat(" ", 1<<20+1)}), 413, 10027, "the metadata has more than 1048576 bytes"},
		{"Python", bare("text/x-python", "x"), 415, 10415, otherType},
		{"Python part", parts(metadata, part{"a.py", "text/x-python", "x"}), 400, 10400, `part "a.py" has the type "text/x-python", which is not offered; modules are application/wasm, application/javascript+module, text/plain, application/json or application/octet-stream`},
		{"JavaScript body_part", parts(part{"metadata", "", `{"body_part":"script"}`}, wasm), 400, 10021, `body_part is "script", but the form has no such part`},
		{"text as the main module", parts(part{"metadata", "", `{"main_module":"a.txt"}`}, part{"a.txt", "text/plain", "x"}), 400, 10400, `the main module "a.txt" is of the type "text/plain"; it must be application/wasm or application/javascript+module`},
		{"two modules", parts(metadata, wasm, part{"b.wasm", "application/wasm", "x"}), 400, 10400, `the form has 1 modules beside "main.wasm"; a WebAssembly module stands alone`},
		{"WebAssembly in JavaScript", parts(part{"metadata", "", `{"main_module":"a.js"}`}, part{"a.js", moduleJS, "x"}, wasm), 400, 10400, `module "main.wasm" is WebAssembly, which JavaScript Workers can't run here; deploy it as a Function of its own`},
		{"module twice", parts(part{"metadata", "", `{"main_module":"a.js"}`}, part{"a.js", moduleJS, "x"}, part{"a.js", moduleJS, "x"}), 400, 10021, `the Worker has two modules named "a.js"`},
		{"syntax error", parts(part{"metadata", "", `{"main_module":"a.js"}`}, part{"a.js", moduleJS, "let x;\nlet y = ;"}), 400, 10021, `Uncaught SyntaxError: unexpected token in expression: ';' (a.js:2:1)`},
		{"no metadata", parts(wasm), 400, 10021, "the form has no part named metadata"},
		{"no main_module", parts(part{"metadata", "", `{}`}, wasm), 400, 10021, "the metadata has no main_module: name the part that has the module"},
		{"other main_module", parts(part{"metadata", "", `{"main_module":"a"}`}, wasm), 400, 10021, `main_module is "a", but the form has no such part`},
		{"broken metadata", parts(part{"metadata", "", `{`}, wasm), 400, 10021, "the metadata is not the JSON expected: unexpected end of JSON input"},
		{"broken form", bare("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a.wasm\"\r\n\r\nx"), 400, 10021, "read body: unexpected EOF"},
		{"no boundary", bare("multipart/form-data", "x"), 400, 10021, "the form cannot be read: no multipart boundary param in Content-Type"},
		{"other type", bare("text/plain", "x"), 415, 10415, otherType},
		{"encoded", encoded, 415, 10415, "the body has Content-Encoding gzip; send it as it is"},
		{"bad name", named("Bad_Name"), 400, 10021, `name "Bad_Name" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`},
		{"path as name", named("..%2Fx"), 400, 10021, `name "../x" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`},
		{"secret without text", with(`{"bindings":[{"type":"secret_text","name":"S"}]}`), 400, 10021, `secret "S" has no text; one that is there stays without being given`},
		{"empty secret", with(`{"bindings":[{"type":"secret_text","name":"S","text":""}]}`), 400, 10021, "secret S is empty"},
		{"secret twice", with(`{"bindings":[{"type":"secret_text","name":"S","text":"x"},{"type":"plain_text","name":"S","text":"x"}]}`), 400, 10021, `binding "S" is given twice`},
		{"secret for KV", with(`{"bindings":[{"type":"secret_text","name":"S","text":"x"},{"type":"kv_namespace","name":"S","namespace_id":"x"}]}`), 400, 10021, `binding "S" is given twice`},
		{"other binding", with(`{"bindings":[{"type":"r2_bucket","name":"B"}]}`), 400, 10400, `binding "B": the type "r2_bucket" is not offered yet`},
		{"binding name", with(`{"bindings":[{"type":"plain_text","name":"a-b","text":""}]}`), 400, 10021, `binding "a-b" is not an identifier: letters, digits and underscores, no digit first`},
		{"binding twice", with(`{"bindings":[{"type":"plain_text","name":"A","text":""},{"type":"json","name":"A","json":1}]}`), 400, 10021, `binding "A" is given twice`},
		{"binding without text", with(`{"bindings":[{"type":"plain_text","name":"A"}]}`), 400, 10021, `binding "A" has no text`},
		{"long variable", with(`{"bindings":[{"type":"plain_text","name":"A","text":"` + strings.Repeat("x", 5121) + `"}]}`), 400, 10021, `variable "A" has 5121 bytes, and at most 5120 are allowed`},
		{"zero byte", with(`{"bindings":[{"type":"plain_text","name":"A","text":"\u0000"}]}`), 400, 10021, `variable "A" has a zero byte, which would end it early in an environment`},
		{"many variables", with(`{"bindings":[` + manyBindings(129) + `]}`), 400, 10021, "129 variables were given; at most 128 are allowed"},
		{"namespace", with(`{"bindings":[{"type":"kv_namespace","name":"KV","namespace_id":"x"}]}`), 400, 10021, `KV binding "KV": KV namespace "x" does not exist in account local; create it, or bind one that exists`},
		{"date", with(`{"compatibility_date":"soon"}`), 400, 10021, `compatibility_date "soon" is not a date such as "2025-01-31"`},
		{"limit", with(`{"limits":{"cpu_ms":2000}}`), 400, 10021, "limits.cpu_ms is 2000; this node allows at most 1000"},
		{"negative limit", with(`{"mayfly":{"limits":{"memory_mb":-1}}}`), 400, 10021, "limits.memory_mb is -1; it must be greater than 0"},
		{"headers limit", with(`{"mayfly":{"limits":{"headers_kb":129}}}`), 400, 10021, "limits.headers_kb is 129; this node allows at most 128"},
		{"unknown key", with(`{"mayfly":{"route":[]}}`), 400, 10021, `the metadata is not the JSON expected: json: unknown field "route"`},
		{"egress", with(`{"mayfly":{"egress":{"allow":["http://x"]}}}`), 400, 10021, `egress.allow wants hosts, or "*." and a domain: host "http://x" is a URL or a path; write the host alone`},
		{"migrations", with(`{"migrations":{"tag":"v1"}}`), 400, 10400, "migrations are not offered yet"},
		{"route", with(`{"mayfly":{"routes":["a.*.b/*"]}}`), 400, 10021, `route "a.*.b/*": "*" in the host may only stand at its beginning; write "*.b/*"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { f.refused(t, tt.call, tt.status, tt.code, tt.msg) })
	}
	if list, err := f.registry.Functions("local"); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v; a refused upload left something", list, err)
	}
}

func manyBindings(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"type":"plain_text","name":"A%d","text":""}`, i)
	}
	return strings.Join(list, ",")
}

// FuzzUpload throws forms at the API: whatever comes, it is an answer.
func FuzzUpload(f *testing.F) {
	fx := newFixture(f, options{maxModule: 1 << 16})
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n--x--\r\n"))
	f.Add("application/wasm", []byte(guest(1)))
	f.Add("application/wasm", []byte("\x00asm"))
	f.Add("text/plain; x", []byte{})
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if strings.ContainsFunc(kind, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return // no client sends it
		}
		a := fx.do(t, call{method: "PUT", path: scripts + "/x", kind: kind, body: string(body)})
		if a.status != 200 && (a.status < 400 || a.status > 499) {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
}
