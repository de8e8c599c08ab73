package hosttest

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
	I32Add      = []byte{0x6a}
	I32Sub      = []byte{0x6b}
	MemoryGrow  = []byte{0x40, 0}
)

// Instructions with an operand.
func I32Const(v int32) []byte        { return append([]byte{0x41}, signedLEB(int64(v))...) }
func Call(function uint32) []byte    { return append([]byte{0x10}, leb(function)...) }
func Br(depth uint32) []byte         { return append([]byte{0x0c}, leb(depth)...) }
func BrIf(depth uint32) []byte       { return append([]byte{0x0d}, leb(depth)...) }
func LocalGet(local uint32) []byte   { return append([]byte{0x20}, leb(local)...) }
func LocalSet(local uint32) []byte   { return append([]byte{0x21}, leb(local)...) }
func LocalTee(local uint32) []byte   { return append([]byte{0x22}, leb(local)...) }
func GlobalGet(global uint32) []byte { return append([]byte{0x23}, leb(global)...) }
func GlobalSet(global uint32) []byte { return append([]byte{0x24}, leb(global)...) }
func I32Load8U(offset uint32) []byte { return append([]byte{0x2d, 0}, leb(offset)...) }
func I32Store(offset uint32) []byte  { return append([]byte{0x36, 2}, leb(offset)...) }
func I32Store8(offset uint32) []byte { return append([]byte{0x3a, 0}, leb(offset)...) }
