// Package wasmtest makes modules for tests: random valid ones that end, out of a
// string of choices, and the pieces of the binary format that hand-made ones are
// put together from.
//
// Start reading at Program and NewGuest.
package wasmtest

import "strings"

// Header begins every module.
const Header = "\x00asm\x01\x00\x00\x00"

// Section builds a section: id, size, content.
func Section(id byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{id}) + LEB(len(body)) + body
}

// LEB encodes an unsigned number.
func LEB(n int) string {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return string(append(b, byte(n)))
}

// SignedLEB encodes the operand of an i32.const or i64.const.
func SignedLEB(n int) string {
	var b []byte
	for ; n < -64 || n > 63; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return string(append(b, byte(n)&0x7f))
}

// Vec is a vector: the number of entries, then the entries.
func Vec(entries ...string) string { return LEB(len(entries)) + strings.Join(entries, "") }

// Text is a name.
func Text(s string) string { return LEB(len(s)) + s }
