package hosttest

import (
	"encoding/binary"
	"math"
)

// Instructions for the bodies of functions. Loads and stores take a constant
// offset that is added to the address on the stack.
//
// Numbers: https://www.w3.org/TR/wasm-core-2/#instructions
var (
	Unreachable = []byte{0x00}
	Block       = []byte{0x02, 0x40} // without result
	Loop        = []byte{0x03, 0x40} // without result
	If          = []byte{0x04, 0x40} // without result
	Else        = []byte{0x05}
	End         = []byte{0x0b}
	Drop        = []byte{0x1a}
	I32Eqz      = []byte{0x45}
	I32Eq       = []byte{0x46}
	I32Ne       = []byte{0x47}
	I32LtS      = []byte{0x48}
	I32LtU      = []byte{0x49}
	I32Add      = []byte{0x6a}
	I32Sub      = []byte{0x6b}
	I32Mul      = []byte{0x6c}
	I32Xor      = []byte{0x73}
	I32Shl      = []byte{0x74}
	I64Eq       = []byte{0x51}
	F32Eq       = []byte{0x5b}
	F64Eq       = []byte{0x61}
	V128Eq      = []byte{0xfd, 0x23, 0xfd, 0x63} // byte by byte, and all of them
	MemorySize  = []byte{0x3f, 0}
	MemoryGrow  = []byte{0x40, 0}
	MemoryFill  = []byte{0xfc, 0x0b, 0}
	RefNull     = []byte{0xd0, 0x70} // of functions
	RefIsNull   = []byte{0xd1}
)

// Instructions with an operand.
func I32Const(v int32) []byte     { return append([]byte{0x41}, signedLEB(int64(v))...) }
func I64Const(v int64) []byte     { return append([]byte{0x42}, signedLEB(v)...) }
func V128Const(v [16]byte) []byte { return append([]byte{0xfd, 0x0c}, v[:]...) }
func F32Const(v float32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0x43}, math.Float32bits(v))
}
func F64Const(v float64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0x44}, math.Float64bits(v))
}
func Call(function uint32) []byte    { return append([]byte{0x10}, leb(function)...) }
func Br(depth uint32) []byte         { return append([]byte{0x0c}, leb(depth)...) }
func BrIf(depth uint32) []byte       { return append([]byte{0x0d}, leb(depth)...) }
func LocalGet(local uint32) []byte   { return append([]byte{0x20}, leb(local)...) }
func LocalSet(local uint32) []byte   { return append([]byte{0x21}, leb(local)...) }
func LocalTee(local uint32) []byte   { return append([]byte{0x22}, leb(local)...) }
func GlobalGet(global uint32) []byte { return append([]byte{0x23}, leb(global)...) }
func GlobalSet(global uint32) []byte { return append([]byte{0x24}, leb(global)...) }
func TableGet(table uint32) []byte   { return append([]byte{0x25}, leb(table)...) }
func TableSet(table uint32) []byte   { return append([]byte{0x26}, leb(table)...) }
func TableGrow(table uint32) []byte  { return append([]byte{0xfc, 0x0f}, leb(table)...) }
func TableSize(table uint32) []byte  { return append([]byte{0xfc, 0x10}, leb(table)...) }
func ElemDrop(segment uint32) []byte { return append([]byte{0xfc, 0x0d}, leb(segment)...) }
func DataDrop(segment uint32) []byte { return append([]byte{0xfc, 0x09}, leb(segment)...) }
func I32Load(offset uint32) []byte   { return append([]byte{0x28, 2}, leb(offset)...) }
func I32Load8U(offset uint32) []byte { return append([]byte{0x2d, 0}, leb(offset)...) }
func I32Store(offset uint32) []byte  { return append([]byte{0x36, 2}, leb(offset)...) }
func I32Store8(offset uint32) []byte { return append([]byte{0x3a, 0}, leb(offset)...) }

// MemoryInit and TableInit copy from a passive segment.
func MemoryInit(segment uint32) []byte { return append(append([]byte{0xfc, 0x08}, leb(segment)...), 0) }
func TableInit(segment, table uint32) []byte {
	return append(append([]byte{0xfc, 0x0c}, leb(segment)...), leb(table)...)
}
