package deploy_test

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// tomlSeeds are texts in which keys are hard to find.
func tomlSeeds() []string {
	return []string{
		"", "a = 1", "a.b.'c d'.\"e\\u0041\" = 1", "[a]\n[a.b]\nc=1\n[a.d]", "[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[a.b.d]\n[[a]]\nb = []",
		"a = [ # comment ]\n 1, [2, '],'], {b = 3,\n c.d = \"}\"},\n]", "a = '''\n'b = 1'''''\nc = \"\"\"\\\"\"\" \\\n d\"\"\"\"", "\"\" = 1\n'' . x = 2",
		"a = 1979-05-27 07:32:00 # date\nb = 0x1F\nc = +inf\nd = true", "[ a . 'b' ] # c\n x = ''\n[[ a.c ]]\ny = \"\\\\\"",
		"a = [[1], [[2]]]\r\nb = {}\r\n", "\"a.b\" = 1\na.b = 2\n'a[0]' = 3", "a = [{b = [{c = 1}]}]", "a = \"#\" # \"\nb = '\\'",
	}
}

// FuzzLocate checks that the walk that finds places agrees with the TOML
// library on what is there.
func FuzzLocate(f *testing.F) {
	for _, s := range tomlSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, tooDeep := deploy.Located(text)
		var root map[string]any
		if _, err := toml.Decode(text, &root); err != nil || tooDeep {
			return // must only end
		}
		if !utf8.ValidString(text) || strings.HasPrefix(text, "\ufeff") {
			return // the library skips byte order marks; locate never sees them
		}
		want := map[string]bool{}
		paths(want, "", root)
		for path := range want {
			if !got[path] {
				t.Errorf("%q: no place for %s", text, path)
			}
		}
		for path := range got {
			if !want[path] {
				t.Errorf("%q: a place for %s, which is not there", text, path)
			}
		}
	})
}

// paths notes the paths of all values in a decoded table or array.
func paths(all map[string]bool, path string, value any) {
	if path != "" {
		all[path] = true
	}
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			paths(all, deploy.ChildPath(path, key), child)
		}
	case []map[string]any:
		for i, child := range v {
			paths(all, deploy.ElementPath(path, i), child)
		}
	case []any:
		for i, child := range v {
			paths(all, deploy.ElementPath(path, i), child)
		}
	}
}

// FuzzParseManifest checks that any text gives either a manifest that survives
// its JSON form, or errors that have a position inside the text, in order.
func FuzzParseManifest(f *testing.F) {
	for _, s := range tomlSeeds() {
		f.Add(s, "a")
	}
	for _, tt := range manifestErrors() {
		if len(tt.text) < 1000 {
			f.Add(tt.text, "a")
		}
	}
	data, err := os.ReadFile("testdata/manifest/wrangler.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data), "staging")
	f.Fuzz(func(t *testing.T, text, stage string) {
		m, err := deploy.ParseManifest("mayfly.toml", []byte(text), stage)
		if err == nil {
			checkManifest(t, m, stage)
			return
		}
		if m != nil {
			t.Error("got a manifest beside the error")
		}
		checkPositions(t, text, err)
	})
}

func checkManifest(t *testing.T, m *deploy.Manifest, stage string) {
	checkJSON(t, m)
	if m.Stage != stage {
		t.Errorf("got stage %q, want %q", m.Stage, stage)
	}
	if m.Name != "" && deploy.CheckName(m.Name) != nil {
		t.Errorf("got name %q", m.Name)
	}
	for _, ns := range m.KVNamespaces {
		if _, taken := m.Vars[ns.Binding]; taken || ns.Binding == "" {
			t.Errorf("got binding %q", ns.Binding)
		}
	}
}

// checkPositions checks that every error joined in err has a place in text and
// that the places are in order.
func checkPositions(t *testing.T, text string, err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %T, want joined errors", err)
	}
	lines := strings.Split(text, "\n")
	line, column := 1, 1
	for _, e := range joined.Unwrap() {
		at, ok := e.(*deploy.FileError)
		if !ok {
			t.Fatalf("got %T %v, want a *FileError", e, e)
		}
		inside := at.Line >= 1 && at.Line <= len(lines) && at.Column >= 1 && at.Column <= len(lines[at.Line-1])+1
		if !inside || at.Line < line || at.Line == line && at.Column < column || at.Msg == "" {
			t.Errorf("%q: %v is not in the text or before %d:%d", text, at, line, column)
		}
		line, column = at.Line, at.Column
	}
}
