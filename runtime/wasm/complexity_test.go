package wasm_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/mayfly-run/mayfly/runtime/wasm/wasmtest"
)

// Of the kinds of modules that are costly to compile small ones are accepted, and
// large ones refused unless they cost what their size lets expect. How long the
// largest accepted ones take is tested in package compile.
func TestComplexity(t *testing.T) {
	onlyLarge := map[string]bool{"nested blocks": true, "br_table": true, "br_table to many blocks": true, "additions": true, "divisions": true, "loads": true, "calls": true,
		"calls through a table": true, "operands": true, "functions": true, "functions with 9,000 locals": true,
		"functions that call": true, "60 MB of additions": true}
	for _, f := range wasmtest.Families() {
		if _, err := wasm.Parse([]byte(f.Make(1)), wasm.DefaultLimits()); err != nil {
			t.Errorf("%s, 1: %v", f.Name, err)
		}
		_, err := wasm.Parse([]byte(f.Make(f.Most)), wasm.DefaultLimits())
		switch {
		case onlyLarge[f.Name] && err != nil:
			t.Errorf("%s, %d: %v", f.Name, f.Most, err)
		case !onlyLarge[f.Name] && (err == nil || !strings.Contains(err.Error(), "too complex")):
			t.Errorf("%s, %d: got %v, want that it is too complex", f.Name, f.Most, err)
		}
	}
}

// Programs are far from the limit.
func TestComplexityOfPrograms(t *testing.T) {
	m := mustParse(t, mustGoGuest(t))
	if got, limit := m.Facts().Complexity, wasm.DefaultLimits().Complexity; got > limit/10 {
		t.Errorf("a Go guest has %d, and the limit is %d", got, limit)
	}
}
