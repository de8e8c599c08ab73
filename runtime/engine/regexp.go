package engine

import (
	"encoding/binary"

	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// lreCompile is the engine's compiler of regular expressions: the length of what it makes,
// an error's text and its size, the source and its length, flags, and an opaque value.
var lreCompile = wasm.FuncType{
	Params:  types(wasm.I32, wasm.I32, wasm.I32, wasm.I32, wasm.I32, wasm.I32, wasm.I32),
	Results: types(wasm.I32),
}

// How what it makes begins, where the expression begins with ^ and may match anywhere:
// https://github.com/quickjs-ng/quickjs/blob/v0.15.1/libregexp.c#L1830
const (
	regexpFlags     = 0
	regexpMultiline = 1 << 2
	regexpCode      = 8 // behind the head
	opGoto          = 8
)

// searching tries each position: split past the next two, any character, back to the
// split. Then the match begins, and stands at the start of the text.
var searching = [...]byte{9, 6, 0, 0, 0, 5, opGoto, 0xf5, 0xff, 0xff, 0xff, 12, 0, 6}

// anchorRegexp wraps lre_compile. A regular expression that begins with ^ can match at
// the start of the text alone, yet the engine tries all other positions as well: what
// goes through a text with many such expressions takes a time that grows with its square. Here the
// split becomes a jump to where the match begins. Code that looks otherwise stays.
func anchorRegexp(c code) {
	const p = 7
	for i := range lreCompile.Params {
		c.Local(uint32(i))
	}
	c.Call("lre_compile")
	c.LocalSet(p)
	c.Local(p)
	c.If(func() {
		c.ifAnchored(p, func() {
			c.Local(p)
			c.I32(opGoto)
			c.Op(store8[0], 0, regexpCode)
		})
	})
	c.Local(p)
}

// ifAnchored runs body if what p points to begins with searching, without the flag by which
// ^ matches at each line.
func (c code) ifAnchored(p uint32, body func()) {
	c.Local(p)
	c.Op(load8[0], 0, regexpFlags)
	c.I32(regexpMultiline)
	c.Op(opI32And, opI32Eqz)
	c.Local(p)
	c.Op(load64[0], 0, regexpCode)
	c.I64(int64(binary.LittleEndian.Uint64(searching[:])))
	c.Op(opI64Eq, opI32And)
	c.Local(p)
	c.Op(load32[0], 0, regexpCode+8)
	c.I32(int32(binary.LittleEndian.Uint32(searching[8:])))
	c.Op(opI32Eq, opI32And)
	c.Local(p)
	c.Op(opLoad16, 0, regexpCode+12)
	c.I32(int32(binary.LittleEndian.Uint16(searching[12:])))
	c.Op(opI32Eq, opI32And)
	c.If(body)
}
