package engine

import (
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// The heap of JavaScript's own objects, which are small and many, in place of the C
// library's. A block of n bytes has a size that is a multiple of blockUnit, its class is how
// many units, and the last four bytes before it have its class. Blocks of one class that are
// free are a list, the latest first; where there is none, the next one is cut off a chunk.
// What is larger is the C library's, behind eight bytes: its length, and the class 0.
const (
	blockUnit  = 8
	blockHead  = 4
	largeHead  = 8
	mostClass  = 64
	mostSmall  = mostClass*blockUnit - blockHead // bytes
	chunkBytes = 16 << 10
	poolsBytes = 4 * (mostClass + 1) // of the lists' heads
)

// Types of the functions that the engine allocates by: struct JSMallocFunctions.
var (
	callocType  = wasm.FuncType{Params: types(wasm.I32, wasm.I32, wasm.I32), Results: types(wasm.I32)}
	mallocType  = wasm.FuncType{Params: types(wasm.I32, wasm.I32), Results: types(wasm.I32)}
	freeType    = wasm.FuncType{Params: types(wasm.I32, wasm.I32)}
	reallocType = callocType
	usableType  = wasm.FuncType{Params: types(wasm.I32), Results: types(wasm.I32)}
)

// heapFuncs are in the order of JSMallocFunctions.
func heapFuncs() []wasm.AddedFunc {
	return []wasm.AddedFunc{
		{Name: "heap calloc", Type: callocType, Pointer: true, Locals: types(wasm.I32), Body: body(heapCalloc)},
		{Name: "heap malloc", Type: mallocType, Pointer: true, Locals: types(wasm.I32, wasm.I32, wasm.I32), Body: body(heapMalloc)},
		{Name: "heap free", Type: freeType, Pointer: true, Locals: types(wasm.I32), Body: body(heapFree)},
		{Name: "heap realloc", Type: reallocType, Pointer: true, Locals: types(wasm.I32, wasm.I32), Body: body(heapRealloc)},
		{Name: "heap usable", Type: usableType, Pointer: true, Locals: types(wasm.I32), Body: body(heapUsable)},
	}
}

// makeHeap leaves a pointer to the functions on the stack.
func makeHeap(c code) {
	c.I32(1)
	c.I32(poolsBytes)
	c.Call("calloc")
	c.GlobalSet("pools")
	for i, f := range heapFuncs() {
		c.scratch(int32(atArguments + 4*i))
		c.Pointer(f.Name)
		c.Op(store32...)
	}
	c.scratch(atArguments)
}

// forgetFree leaves what is free in the heap unused, so that what comes next lies in a row.
func forgetFree(c code) {
	c.GlobalGet("pools")
	c.I32(0)
	c.I32(poolsBytes)
	c.Op(memoryFill...)
	c.I32(0)
	c.GlobalSet("bump")
	c.I32(0)
	c.GlobalSet("chunk end")
}

// pool pushes the address of the head of a class's list.
func (c code) pool(class uint32) {
	c.GlobalGet("pools")
	c.Local(class)
	c.I32(2)
	c.Op(opI32Shl, opI32Add)
}

// class pushes the class of a block.
func (c code) class(p uint32) {
	c.Local(p)
	c.I32(blockHead)
	c.Op(opI32Sub)
	c.Op(load32...)
}

// classFor pushes the class of blocks for a size.
func (c code) classFor(size uint32) {
	c.Local(size)
	c.I32(blockHead + blockUnit - 1)
	c.Op(opI32Add)
	c.I32(3)
	c.Op(opI32ShrU)
}

// returnIfZero returns 0 if a local is.
func (c code) returnIfZero(l uint32) {
	c.Local(l)
	c.Op(opI32Eqz)
	c.If(c.returnZero)
}

func heapMalloc(c code) {
	const size, class, p, next = 1, 2, 3, 4
	c.Local(size)
	c.I32(mostSmall)
	c.Op(opI32GtU)
	c.If(func() { c.mallocLarge(size, p) })
	c.classFor(size)
	c.LocalSet(class)
	c.pool(class)
	c.Op(load32...)
	c.LocalSet(p)
	c.Local(p)
	c.If(func() {
		c.pool(class)
		c.Local(p)
		c.Op(load32...)
		c.Op(store32...)
		c.Local(p)
		c.Op(opReturn)
	})
	c.cut(class, p, next)
	c.Local(p)
}

// cut sets p to a block of the chunk, or of another one.
func (c code) cut(class, p, next uint32) {
	sum := func() {
		c.GlobalGet("bump")
		c.Local(class)
		c.I32(3)
		c.Op(opI32Shl, opI32Add)
		c.LocalSet(next)
	}
	sum()
	c.Local(next)
	c.GlobalGet("chunk end")
	c.Op(opI32GtU)
	c.If(func() {
		c.I32(chunkBytes)
		c.Call("malloc")
		c.LocalSet(p)
		c.returnIfZero(p)
		c.Local(p)
		c.I32(largeHead)
		c.Op(opI32Add)
		c.GlobalSet("bump")
		c.Local(p)
		c.I32(chunkBytes)
		c.Op(opI32Add)
		c.GlobalSet("chunk end")
		sum()
	})
	c.GlobalGet("bump")
	c.LocalSet(p)
	c.Local(p)
	c.I32(blockHead)
	c.Op(opI32Sub)
	c.Local(class)
	c.Op(store32...)
	c.Local(next)
	c.GlobalSet("bump")
}

func heapFree(c code) {
	const p, class = 1, 2
	c.Local(p)
	c.Op(opI32Eqz)
	c.If(func() { c.Op(opReturn) })
	c.class(p)
	c.LocalSet(class)
	c.Local(class)
	c.Op(opI32Eqz)
	c.If(func() {
		c.Local(p)
		c.I32(largeHead)
		c.Op(opI32Sub)
		c.Call("free")
		c.Op(opReturn)
	})
	c.Local(p)
	c.pool(class)
	c.Op(load32...)
	c.Op(store32...)
	c.pool(class)
	c.Local(p)
	c.Op(store32...)
}

func heapCalloc(c code) {
	const count, size, p = 1, 2, 3
	c.Local(count)
	c.Op(opI64FromU32)
	c.Local(size)
	c.Op(opI64FromU32)
	c.Op(opI64Mul)
	c.I64(1 << 31)
	c.Op(opI64GtU)
	c.If(c.returnZero)
	c.Local(count)
	c.Local(size)
	c.Op(opI32Mul)
	c.LocalSet(size)
	c.Local(0)
	c.Local(size)
	c.Call("heap malloc")
	c.LocalSet(p)
	c.returnIfZero(p)
	c.Local(p)
	c.I32(0)
	c.Local(size)
	c.Op(memoryFill...)
	c.Local(p)
}

func heapUsable(c code) {
	const p, class = 0, 1
	c.class(p)
	c.LocalSet(class)
	c.Local(class)
	c.Op(opI32Eqz)
	c.If(func() {
		c.Local(p)
		c.I32(largeHead)
		c.Op(opI32Sub)
		c.Op(load32...)
		c.Op(opReturn)
	})
	c.Local(class)
	c.I32(3)
	c.Op(opI32Shl)
	c.I32(blockHead)
	c.Op(opI32Sub)
}
