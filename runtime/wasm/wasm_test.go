package wasm_test

import (
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/mayfly-run/mayfly/runtime/wasm/wasmtest"
)

// The pieces that modules are put together from.
const header = wasmtest.Header

var section, leb, vec, text = wasmtest.Section, wasmtest.LEB, wasmtest.Vec, wasmtest.Text

// oneFunction is a module with one function of the type and body, whose locals
// and instructions (without the last end) are given.
func oneFunction(typ, locals, code string) string {
	body := locals + code + "\x0b"
	return header + section(1, vec(typ)) + section(3, vec("\x00")) +
		section(10, vec(leb(len(body))+body))
}

func TestImports(t *testing.T) {
	module := header +
		section(0, text("hi")) +
		section(1, vec("\x60\x00\x00")) +
		section(2, vec(
			text("a")+text("f")+"\x00\x00",
			text("a")+text("t")+"\x01\x70\x00\x01",
			text("a")+text("mem")+"\x02\x01\x01\x02",
			text("b")+text("g")+"\x03\x7f\x00"))
	m, err := wasm.Parse([]byte(module), wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []wasm.Import{{"a", "f", wasm.KindFunc}, {"a", "t", wasm.KindTable}, {"a", "mem", wasm.KindMemory}, {"b", "g", wasm.KindGlobal}}
	if got := m.Imports(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
