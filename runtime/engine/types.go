package engine

import "github.com/mayfly-run/mayfly/runtime/wasm"

// JSValue as the engine has it where pointers have 32 bits: an i64 with the tag
// above and the number or pointer below.
const (
	tagString    = -7
	tagRope      = -6
	tagObject    = -1
	tagException = 6

	undefined = 3 << 32
)

const valueSize = 8

// JS_Eval's flags.
const (
	evalGlobal  = 0
	evalModule  = 1 << 0
	compileOnly = 1 << 5
)

// stackSize is how many bytes C code may have on its own stack, which the reactor
// gives only 64 KiB. A JavaScript call takes a few hundred. Below stackReserve the
// engine throws a RangeError; what its own functions need must fit in there.
const (
	stackSize    = 1 << 20
	stackReserve = 64 << 10
)

// firstCollection is how many bytes a request may have allocated, with what was there
// before, when it collects cycles for the first time. The engine's own figure is less
// than the platform takes, so that each request would begin with a collection.
const firstCollection = 8 << 20

// The scratch memory that calls into the engine pass pointers to.
const (
	scratchSize   = 128
	atArguments   = 0  // of an event: one value
	atRejection   = 16 // arguments for a rejection: three values
	atLength      = 48 // a size_t, for the length of a text
	atContext     = 56 // a pointer, for the context of a job
	atEmptyString = 64 // stays zero
	atFormat      = 72
)

// Instructions that have no operands, or always the same.
const (
	opUnreachable = 0x00
	opReturn      = 0x0f
	opDrop        = 0x1a
	opSelect      = 0x1b
	opLoad16      = 0x2f // unsigned, as an i32
	opMemorySize  = 0x3f
	opI32Eqz      = 0x45
	opI32Eq       = 0x46
	opI32Ne       = 0x47
	opI32LtS      = 0x48
	opI32LtU      = 0x49
	opI32GtU      = 0x4b
	opI32LeU      = 0x4d
	opI32GeS      = 0x4e
	opI64Eqz      = 0x50
	opI64Eq       = 0x51
	opI64LtS      = 0x53
	opI64GtU      = 0x56
	opI32Add      = 0x6a
	opI32Sub      = 0x6b
	opI32Mul      = 0x6c
	opI32And      = 0x71
	opI32Shl      = 0x74
	opI32ShrU     = 0x76
	opI64Mul      = 0x7e
	opI64ShrS     = 0x87
	opI64FromU32  = 0xad
	opF64Mul      = 0xa2
	opI32WrapI64  = 0xa7
	opF64FromU64  = 0xba
)

var (
	load32  = []byte{0x28, 2, 0}
	load8   = []byte{0x2d, 0, 0}
	load64  = []byte{0x29, 3, 0}
	store32 = []byte{0x36, 2, 0}
	store64 = []byte{0x37, 3, 0}
	store8  = []byte{0x3a, 0, 0}

	memoryCopy = []byte{0xfc, 10, 0, 0}
	memoryFill = []byte{0xfc, 11, 0}

	// storeStackLimit sets JSRuntime.stack_limit, below which the engine throws. In
	// builds for WASI nothing else sets it. A test has an infinite recursion.
	storeStackLimit = []byte{0x36, 2, 0x80, 1}
)

// Functions of C as QuickJS calls them.
var (
	cFunction = wasm.FuncType{Params: types(wasm.I32, wasm.I64, wasm.I32, wasm.I32), Results: types(wasm.I64)}
	loader    = wasm.FuncType{Params: types(wasm.I32, wasm.I32, wasm.I32), Results: types(wasm.I32)}
	tracker   = wasm.FuncType{Params: types(wasm.I32, wasm.I64, wasm.I64, wasm.I32, wasm.I32)}
	release   = wasm.FuncType{Params: types(wasm.I32, wasm.I32, wasm.I32)}
)

func types(t ...wasm.ValType) []wasm.ValType { return t }

// code is what glue is written with.
type code struct{ *wasm.Code }

// scratch pushes an address in the scratch memory.
func (c code) scratch(offset int32) {
	c.GlobalGet("scratch")
	c.I32(offset)
	c.Op(opI32Add)
}

// tag turns the value on the stack into its tag.
func (c code) tag() {
	c.I64(32)
	c.Op(opI64ShrS, opI32WrapI64)
}

// length pushes what atLength holds.
func (c code) length() {
	c.scratch(atLength)
	c.Op(load32...)
}
