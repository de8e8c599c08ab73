package wasm_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The WebAssembly specification's test suite lies, as wast2json wrote it, in the
// wazero module.

type script struct {
	name     string // version and file, "v2/br_table"
	dir      string
	version  string
	Commands []command `json:"commands"`
}

type command struct {
	Type       string  `json:"type"`
	Line       int     `json:"line"`
	Name       string  `json:"name"`
	As         string  `json:"as"`
	Filename   string  `json:"filename"`
	ModuleType string  `json:"module_type"`
	Text       string  `json:"text"`
	Action     action  `json:"action"`
	Expected   []value `json:"expected"`
}

type action struct {
	Type   string  `json:"type"`
	Module string  `json:"module"`
	Field  string  `json:"field"`
	Args   []value `json:"args"`
}

type value struct {
	Type     string          `json:"type"`
	LaneType string          `json:"lane_type"`
	Value    json.RawMessage `json:"value"`
}

func specDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("find the wazero module: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

func readScripts(t testing.TB) (scripts []script) {
	t.Helper()
	root := specDir(t)
	for _, version := range []string{"v1", "v2"} {
		dir := filepath.Join(root, version, "testdata")
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(files) < 70 {
			t.Fatalf("%d files in %s, %v", len(files), dir, err)
		}
		for _, f := range files {
			name := version + "/" + strings.TrimSuffix(filepath.Base(f), ".json")
			s := script{name: name, dir: dir, version: version}
			if err := json.Unmarshal(mustRead(t, f), &s); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			scripts = append(scripts, s)
		}
	}
	return scripts
}

func mustRead(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s *script) file(t testing.TB, c command) []byte {
	t.Helper()
	return mustRead(t, filepath.Join(s.dir, c.Filename))
}

// newerValid are modules that version 1 of the suite calls invalid and 2.0 valid
// where wazero has another reason to refuse them.
var newerValid = map[string]bool{"multiple tables": true}

// validInV2 decides about what version 1 of the suite calls invalid.
func validInV2(t *testing.T, s script, c command, module []byte) bool {
	if s.version != "v1" {
		return false
	}
	ctx := t.Context()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer r.Close(ctx)
	_, err := r.CompileModule(ctx, module)
	return err == nil || newerValid[c.Text]
}

func mustRewrite(t testing.TB, m *wasm.Module, options wasm.Options) *wasm.Rewritten {
	t.Helper()
	r, err := m.Rewrite(options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSpecVerdicts(t *testing.T) {
	accepted, refused := 0, 0
	for _, s := range readScripts(t) {
		for _, c := range s.Commands {
			if c.Filename == "" || c.ModuleType == "text" {
				continue
			}
			module := s.file(t, c)
			m, err := wasm.Parse(module, wasm.DefaultLimits())
			switch c.Type {
			case "module", "assert_unlinkable", "assert_uninstantiable":
				accepted++
				if err != nil {
					t.Errorf("%s line %d: %s is valid, got %v", s.name, c.Line, c.Filename, err)
					continue
				}
				if code := mustRewrite(t, m, wasm.Options{}).Code; !bytes.Equal(code, module) && len(code) >= len(module) {
					// shorter: the size of a section was not in its shortest form
					t.Errorf("%s line %d: %s differs after rewriting nothing", s.name, c.Line, c.Filename)
				}
			case "assert_invalid", "assert_malformed":
				refused++
				if err == nil && !validInV2(t, s, c, module) {
					t.Errorf("%s line %d: %s is not valid (%s) and was accepted", s.name, c.Line, c.Filename, c.Text)
				}
			default:
				t.Errorf("%s line %d: unknown command %s", s.name, c.Line, c.Type)
			}
		}
	}
	if accepted < 2000 || refused < 3000 {
		t.Errorf("only %d valid and %d invalid modules were seen", accepted, refused)
	}
	t.Logf("%d valid, %d invalid modules", accepted, refused)
}
