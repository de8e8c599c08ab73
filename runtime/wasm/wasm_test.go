package wasm_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
)

const header = "\x00asm\x01\x00\x00\x00"

func TestImports(t *testing.T) {
	module := header +
		"\x00\x03\x02hi" + // custom section
		"\x01\x04\x01\x60\x00\x00" + // types
		"\x02\x26\x04" +
		"\x01a\x01f\x00\x00" +
		"\x01a\x01t\x01\x70\x00\x01" +
		"\x01a\x03mem\x02\x01\x01\x02" +
		"\x01b\x01g\x03\x7f\x00"
	module = strings.Replace(module, "\x02\x26", "\x02"+string(rune(len(module)-len(header)-5-6-2)), 1)
	got, err := wasm.Imports([]byte(module))
	if err != nil {
		t.Fatal(err)
	}
	want := []wasm.Import{{"a", "f", wasm.KindFunc}, {"a", "t", wasm.KindTable}, {"a", "mem", wasm.KindMemory}, {"b", "g", wasm.KindGlobal}}
	if len(got) != len(want) {
		t.Fatalf("got %d imports, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("import %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestImportsRefuses(t *testing.T) {
	tests := []struct{ name, module, want string }{
		{"empty", "", "empty"},
		{"text", "hello", "not a WebAssembly module"},
		{"short magic", "\x00as", "ends within the header"},
		{"component", "\x00asm\x0d\x00\x01\x00", "component"},
		{"version 2", "\x00asm\x02\x00\x00\x00", "version"},
		{"unknown section", header + "\x7f\x00", "unknown section 127"},
		{"section too long", header + "\x02\x7f", "announced"},
		{"endless number", header + "\x02\xff\xff\xff\xff\xff\xff", "does not fit"},
		{"count without entries", header + "\x02\x05\xff\xff\xff\xff\x0f", "unexpected end"},
		{"name not UTF-8", header + "\x02\x04\x01\x02\xff\xff", "not UTF-8"},
		{"unknown kind", header + "\x02\x06\x01\x01a\x01b\x09", "unknown import"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := wasm.Imports([]byte(tt.module))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzImports(f *testing.F) {
	f.Add([]byte(header))
	f.Add([]byte(header + "\x02\x07\x01\x01a\x01f\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		imports, err := wasm.Imports(data)
		if err != nil && imports != nil {
			t.Errorf("got imports beside the error %v", err)
		}
		if len(imports) > len(data) {
			t.Errorf("%d imports from %d bytes", len(imports), len(data))
		}
	})
}
