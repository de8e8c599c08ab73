package js_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/js"
)

// exampleMap says that line 2 of out.js is line 5 of src/a.ts, from column 3 on.
const exampleMap = `{"version":3,"sources":["../src/a.ts"],"names":[],"mappings":";AAIE"}`

func mapped(t testing.TB, m string) []byte {
	t.Helper()
	p := js.Program{Main: "out.js", Modules: []js.Source{{Name: "out.js", Type: js.TypeModule, Map: []byte(m)}, {Name: "b.js", Type: js.TypeModule}}}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMapStack(t *testing.T) {
	for _, tt := range []struct{ stack, want string }{
		{"Error: a\n    at f (out.js:2:1)\n    at g (b.js:2:1)", "Error: a\n    at f (src/a.ts:5:3)\n    at g (b.js:2:1)"},
		{"    at out.js:2:7", "    at src/a.ts:5:3"},
		{"SyntaxError: x (out.js:1:1)", "SyntaxError: x (out.js:1:1)"},
		{"at 12:30:00, http://x:1:1", "at 12:30:00, http://x:1:1"},
		{"", ""},
	} {
		if got := js.MapStack(mapped(t, exampleMap), tt.stack); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	for _, m := range []string{"", "{", `{"version":2}`, `{"version":3,"sources":[],"mappings":"AAAA"}`} {
		if got := js.MapStack(mapped(t, m), "(out.js:2:1)"); got != "(out.js:2:1)" {
			t.Errorf("map %q: got %q", m, got)
		}
	}
	long := strings.Repeat("long/", 300)
	if got := js.MapStack(mapped(t, strings.Replace(exampleMap, "src", long, 1)), "(out.js:2:1)"); got != "(out.js:2:1)" {
		t.Errorf("the name of a source makes a text of %d bytes", len(got))
	}
	if got := js.MapStack(mapped(t, exampleMap), strings.Repeat("out.js:2:1\n", 10_000)); strings.Count(got, "src/a.ts:5:3\n") != 200 {
		t.Errorf("%d places are mapped", strings.Count(got, "src/a.ts:5:3\n"))
	}
	if got := js.MapStack([]byte("\x00asm"), "(out.js:2:1)"); got != "(out.js:2:1)" {
		t.Errorf("got %q", got)
	}
}

// FuzzMapStack reads any source map.
func FuzzMapStack(f *testing.F) {
	f.Add(exampleMap, "at f (out.js:2:1)")
	f.Add(`{"version":3,"sections":[{"offset":{"line":0,"column":0},"map":`+exampleMap+`}]}`, "out.js:2:99999999999999999999")
	f.Add(`{"version":3,"sources":["a"],"mappings":"AAAA;gggggggggggggggB,A,AA"}`, "out.js:0:0 out.js:1:1 out.js:3:0")
	f.Fuzz(func(t *testing.T, m, stack string) { js.MapStack(mapped(t, m), stack) })
}
