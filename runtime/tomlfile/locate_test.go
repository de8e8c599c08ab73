package tomlfile_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/mayfly-run/mayfly/runtime/tomlfile"
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
		got, tooDeep := tomlfile.Located(text)
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
			paths(all, tomlfile.ChildPath(path, key), child)
		}
	case []map[string]any:
		for i, child := range v {
			paths(all, tomlfile.ElementPath(path, i), child)
		}
	case []any:
		for i, child := range v {
			paths(all, tomlfile.ElementPath(path, i), child)
		}
	}
}
