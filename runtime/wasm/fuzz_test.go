package wasm_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero"
)

// FuzzParse: never a panic, and what we accept wazero accepts.
func FuzzParse(f *testing.F) {
	f.Add([]byte(header))
	f.Add([]byte(everySection()))
	f.Add([]byte(oneFunction("\x60\x01\x7f\x01\x7f", noLocals, "\x20\x00\x04\x7f\x41\x01\x05\x41\x02\x0b")))
	f.Add([]byte(oneFunction("\x60\x00\x01\x7b", noLocals, "\xfd\x0c"+"0123456789abcdef")))
	f.Add([]byte(oneFunction(nothing, noLocals, "\x02\x40\x41\x00\x0e\x01\x00\x00\x0b\x00\x1a")))
	for _, h := range hostile {
		if len(h.module) < 1000 {
			f.Add([]byte(h.module))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wasm.Parse(data, wasm.DefaultLimits())
		if err != nil || m.Facts().Memory.Min > 100 {
			return
		}
		for _, i := range m.Imports() {
			if i.Module == "" {
				return // valid, and refused by wazero: nodes offer no such module
			}
		}
		// wazero reads the name section and refuses broken ones, against the
		// specification: what it gets has no or a good one.
		clean, err := m.Rewrite(wasm.Options{DropCustoms: true})
		if err != nil {
			t.Fatal(err)
		}
		r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
		defer r.Close(t.Context())
		if _, err := r.CompileModule(t.Context(), clean.Code); err != nil {
			t.Errorf("accepted, and wazero says %v\n%x", err, data)
		}
	})
}
