package deploy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// FuzzParseManifest checks that any text gives either a manifest that survives
// its JSON form, or errors that have a position inside the text, in order.
func FuzzParseManifest(f *testing.F) {
	f.Add("", "")
	f.Add("vars.'c d'.\"e\\u0041\" = 1\r\n[[kv_namespaces]]\nbinding = 'K'\n[env.a]\nvars.K = [{b = [{c = 1}]}]\nworkers_dev = true", "a")
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
		at, ok := e.(*tomlfile.Error)
		if !ok {
			t.Fatalf("got %T %v, want a *tomlfile.Error", e, e)
		}
		inside := at.Line >= 1 && at.Line <= len(lines) && at.Column >= 1 && at.Column <= len(lines[at.Line-1])+1
		if !inside || at.Line < line || at.Line == line && at.Column < column || at.Msg == "" {
			t.Errorf("%q: %v is not in the text or before %d:%d", text, at, line, column)
		}
		line, column = at.Line, at.Column
	}
}
