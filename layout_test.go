// Package mayfly_test checks the shape of the whole module.
package mayfly_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mayfly-run/mayfly/"

// layers lists the top folders so that each imports itself and those before it.
var layers = []string{"kv", "host", "runtime", "cli"}

// free folders may import everything; nothing imports them.
var free = []string{"bench", "e2e", "examples", "torture"}

func TestImportDirection(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, p := range packages {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if rel, ours := strings.CutPrefix(imported, module); ours && !allowed(top(p.ImportPath), top(module+rel)) {
				t.Errorf("%s imports %s: the direction is %s", p.ImportPath, imported, strings.Join(layers, " <- "))
			}
		}
	}
}

func allowed(from, to string) bool {
	if slices.Contains(free, from) || from == "" {
		return true
	}
	f, t := slices.Index(layers, from), slices.Index(layers, to)
	return f >= 0 && t >= 0 && t <= f
}

func TestAllowed(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"runtime", "host", true}, {"runtime", "kv", true}, {"cli", "runtime", true}, {"host", "host", true},
		{"host", "runtime", false}, {"kv", "host", false}, {"runtime", "bench", false}, {"bench", "cli", true},
	}
	for _, tt := range tests {
		if got := allowed(tt.from, tt.to); got != tt.want {
			t.Errorf("allowed(%q, %q) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}

// top is the folder of the module that a package lies in.
func top(importPath string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(importPath, module), "/")
	if first+"/" == module || importPath+"/" == module {
		return ""
	}
	return first
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) (list []goPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}
