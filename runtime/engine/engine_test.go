package engine_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/runtime/engine"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// The engine is a valid module, whose instances can be put back.
func TestJavaScript(t *testing.T) {
	data, err := engine.JavaScript()
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasm.Parse(data, wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !m.Facts().Resettable() {
		t.Errorf("got facts %+v, want a module that can be reset", m.Facts())
	}
}
