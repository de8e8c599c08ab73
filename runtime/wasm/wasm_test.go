package wasm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
)

const header = "\x00asm\x01\x00\x00\x00"

// section builds a section: id, size, content.
func section(id byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{id}) + leb(len(body)) + body
}

// leb encodes an unsigned number.
func leb(n int) string {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return string(append(b, byte(n)))
}

// vec is a vector: the number of entries, then the entries.
func vec(entries ...string) string { return leb(len(entries)) + strings.Join(entries, "") }

func text(s string) string { return leb(len(s)) + s }

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
