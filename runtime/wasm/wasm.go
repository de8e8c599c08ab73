// Package wasm reads, validates and rewrites the WebAssembly binary format. It
// is pure: bytes in, bytes, facts or an error with an offset out. Begin with
// Parse, which accepts what Core Specification 2.0 calls valid and Limits allow;
// then Facts tells what a module does, and Rewrite makes of it what is run.
//
// A Module keeps the bytes it was parsed from: nobody may change them.
//
// Format: https://www.w3.org/TR/wasm-core-2/ chapters 3 (validation) and 5
// (binary format).
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

// SyntaxError says where a module breaks a rule of the format or a limit.
type SyntaxError struct {
	Offset int // bytes from the beginning of the module
	Msg    string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Msg) }

const headerSize = 8

var (
	magic   = []byte("\x00asm")
	version = []byte{1, 0, 0, 0}
)

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
	case !bytes.Equal(data[4:8], version):
		return &SyntaxError{4, fmt.Sprintf("WebAssembly version %#x is not supported, only 1", data[4:8])}
	}
	return nil
}
