// Package wasm reads the WebAssembly binary format. It is pure: bytes in, facts
// or an error with an offset out. Format: WebAssembly Core Specification 2.0,
// chapter 5.
package wasm

import (
	"bytes"
	"fmt"
)

// Kind is what an import or export names.
type Kind byte

const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
	KindTag
)

var kindNames = [...]string{"function", "table", "memory", "global", "tag"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Import is one entry of the import section.
type Import struct {
	Module, Name string
	Kind         Kind
}

// SyntaxError says where a module leaves the format.
type SyntaxError struct {
	Offset int // bytes from the beginning of the module
	Msg    string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Msg) }

const (
	headerSize    = 8
	sectionImport = 2
	lastSection   = 12
)

var magic = []byte("\x00asm")

// CheckHeader says what data is if it is not a core module of version 1.
func CheckHeader(data []byte) error {
	switch {
	case len(data) == 0:
		return &SyntaxError{0, "the file is empty"}
	case !bytes.HasPrefix(data, magic[:min(len(magic), len(data))]):
		return &SyntaxError{0, "not a WebAssembly module: it does not begin with \\0asm"}
	case len(data) < headerSize:
		return &SyntaxError{len(data), "the file ends within the header"}
	case bytes.Equal(data[4:8], []byte{0x0d, 0, 1, 0}):
		return &SyntaxError{4, "this is a WebAssembly component; build a core module (for Go -buildmode=c-shared, for Rust target wasm32-wasip1)"}
	case !bytes.Equal(data[4:8], []byte{1, 0, 0, 0}):
		return &SyntaxError{4, fmt.Sprintf("WebAssembly version %#x is not supported, only 1", data[4:8])}
	}
	return nil
}

// Imports lists what a module wants from outside. It reads section headers and
// the import section only.
func Imports(data []byte) ([]Import, error) {
	if err := CheckHeader(data); err != nil {
		return nil, err
	}
	r := reader{data: data, pos: headerSize}
	for !r.atEnd() {
		id, body := r.section()
		if r.err != nil {
			return nil, r.err
		}
		if id == sectionImport {
			return body.imports()
		}
	}
	return nil, nil
}

func (r *reader) imports() ([]Import, error) {
	count := r.u32()
	var list []Import
	for i := uint32(0); i < count && r.err == nil; i++ {
		imp := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		r.skipImportType(imp.Kind)
		list = append(list, imp)
	}
	if r.err != nil {
		return nil, r.err
	}
	return list, nil
}

func (r *reader) skipImportType(k Kind) {
	switch k {
	case KindFunc:
		r.u32()
	case KindTable:
		r.byte()
		r.limits()
	case KindMemory:
		r.limits()
	case KindGlobal:
		r.byte()
		r.byte()
	case KindTag:
		r.byte()
		r.u32()
	default:
		r.fail(fmt.Sprintf("unknown import %s", k))
	}
}

func (r *reader) limits() {
	flags := r.byte()
	r.u64()
	if flags&1 != 0 {
		r.u64()
	}
}
