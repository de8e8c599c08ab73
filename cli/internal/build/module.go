package build

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/host/js"
)

// ReadModule reads a module that Build made, as a node keeps it.
func ReadModule(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	if !IsScript(file) {
		return data, nil
	}
	name := filepath.Base(file)
	p := js.Program{Main: name, Modules: []js.Source{{Name: name, Type: js.TypeModule, Data: data, Map: ReadMap(file)}}}
	return p.Encode()
}

// ReadMap reads the source map of a module that Build made; nil if it has none.
func ReadMap(file string) []byte {
	data, err := os.ReadFile(file + ".map")
	if err != nil {
		return nil
	}
	return data
}
