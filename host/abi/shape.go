package abi

import (
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Shape is what a module shows to the outside.
type Shape struct {
	Imports []Signature
	Exports []Signature // of functions
	Memory  bool        // exports a memory named "memory"
}

// Signature is a function that a module imports or exports.
type Signature struct {
	Module  string // of an import
	Name    string
	Params  []Type
	Results []Type
}

// ShapeOf describes a compiled module.
func ShapeOf(m wazero.CompiledModule) *Shape {
	s := &Shape{}
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		s.Imports = append(s.Imports, signatureOf(module, name, f))
	}
	for name, f := range m.ExportedFunctions() {
		s.Exports = append(s.Exports, signatureOf("", name, f))
	}
	_, s.Memory = m.ExportedMemories()["memory"]
	return s
}

func signatureOf(module, name string, f api.FunctionDefinition) Signature {
	return Signature{Module: module, Name: name, Params: f.ParamTypes(), Results: f.ResultTypes()}
}

// Export returns the exported function of that name.
func (s *Shape) Export(name string) (Signature, bool) {
	for _, e := range s.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Signature{}, false
}

// ImportsFrom reports whether the module imports any function of that module;
// with names, any of those functions.
func (s *Shape) ImportsFrom(module string, names ...string) bool {
	return slices.ContainsFunc(s.Imports, func(i Signature) bool {
		return i.Module == module && (len(names) == 0 || slices.Contains(names, i.Name))
	})
}
