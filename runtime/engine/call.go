package engine

import (
	"math"

	"github.com/mayfly-run/mayfly/host/js"
)

// Where the parameters of a C function are, and what hostCall keeps behind them.
const (
	callContext, callArguments = 0, 3
	textAt, textLength         = 4, 5
	dataAt, dataLength         = 6, 7
	callResult                 = 8
)

// hostCall is the function host(op, n, text, data) of JavaScript. text is a
// string, data a string or a Uint8Array, and any but op may be left out. A C function
// has the parameters context, this, count and arguments.
func hostCall(c code) {
	c.toText(2, textAt, textLength)
	c.toText(3, dataAt, dataLength)
	c.toBytes(3)
	for i := range int32(2) {
		c.argument(i)
		c.Op(load32...)
	}
	for _, l := range []uint32{textAt, textLength, dataAt, dataLength} {
		c.Local(l)
	}
	c.Call("call")
	c.LocalSet(callResult)
	c.freeText(2, textAt)
	c.freeText(3, dataAt)
	c.Local(callResult)
	c.Call("value of")
}

// argument pushes the address of an argument of a C function.
func (c code) argument(i int32) {
	c.Local(callArguments)
	c.I32(i * valueSize)
	c.Op(opI32Add)
}

// argumentTag pushes an argument's tag.
func (c code) argumentTag(i int32) {
	c.argument(i)
	c.Op(load32[0], 2, 4) // behind the number
}

// ifText runs body if an argument is a string.
func (c code) ifText(i int32, body func()) {
	c.argumentTag(i)
	c.I32(tagString)
	c.Op(opI32Sub)
	c.I32(tagRope - tagString + 1)
	c.Op(opI32LtU)
	c.If(body)
}

// toText puts the UTF-8 of an argument that is a string into locals.
func (c code) toText(i int32, at, length uint32) {
	c.ifText(i, func() {
		c.Local(callContext)
		c.scratch(atLength)
		c.argument(i)
		c.Op(load64...)
		c.I32(0)
		c.Call("JS_ToCStringLen2")
		c.LocalSet(at)
		c.length()
		c.LocalSet(length)
		c.Local(at)
		c.Op(opI32Eqz)
		c.If(c.returnException)
	})
}

func (c code) freeText(i int32, at uint32) {
	c.ifText(i, func() {
		c.Local(callContext)
		c.Local(at)
		c.Call("JS_FreeCString")
	})
}

// toBytes puts the bytes of an argument that is a Uint8Array into locals.
func (c code) toBytes(i int32) {
	c.argumentTag(i)
	c.I32(tagObject)
	c.Op(opI32Eq)
	c.If(func() {
		c.scratch(atLength)
		c.I32(0)
		c.Op(store32...)
		c.Local(callContext)
		c.scratch(atLength)
		c.argument(i)
		c.Op(load64...)
		c.Call("JS_GetUint8Array")
		c.LocalSet(dataAt)
		c.length()
		c.LocalSet(dataLength)
		c.Local(callContext)
		c.Call("JS_HasException")
		c.If(c.returnException)
	})
}

func (c code) returnException() {
	c.I64(tagException << 32)
	c.Op(opReturn)
}

// valueOf turns a result of the host into a value: itself, or a text or bytes
// that are taken.
func valueOf(c code) {
	const result, p, value = 0, 1, 2
	c.ifKind(js.KindText, opI32LtS, func() {
		c.Local(result)
		c.Op(opReturn)
	})
	c.resultSize()
	c.Call("malloc")
	c.LocalSet(p)
	c.Local(p)
	c.Call("take")
	c.ifKind(js.KindBytes, opI32Eq, func() {
		c.GlobalGet("context")
		c.Local(p)
		c.resultSize()
		c.Pointer("release")
		c.I32(0)
		c.I32(0)
		c.Call("JS_NewUint8Array")
		c.Op(opReturn)
	})
	c.GlobalGet("context")
	c.Local(p)
	c.resultSize()
	c.Call("JS_NewStringLen")
	c.LocalSet(value)
	c.Local(p)
	c.Call("free")
	c.ifKind(js.KindThrow, opI32Eq, func() {
		c.GlobalGet("context")
		c.Local(value)
		c.Call("JS_Throw")
		c.Op(opReturn)
	})
	c.Local(value)
}

// ifKind compares the kind of the result in local 0.
func (c code) ifKind(kind int32, compare byte, body func()) {
	c.Local(0)
	c.tag()
	c.I32(kind)
	c.Op(compare)
	c.If(body)
}

// resultSize pushes the length of the result in local 0.
func (c code) resultSize() {
	c.Local(0)
	c.Op(opI32WrapI64)
}

// releaseBuffer frees the bytes of an array that valueOf made. Its parameters:
// runtime, opaque, bytes.
func releaseBuffer(c code) {
	c.Local(2)
	c.Call("free")
}

// mathRandom gives 53 random bits of the host: a generator in the engine would go
// on from the same state in every request.
func mathRandom(c code) {
	c.Local(0)
	c.Call("random")
	c.Op(opF64FromU64)
	c.f64(math.Ldexp(1, -53))
	c.Op(opF64Mul)
	c.Call("JS_NewNumber")
}

func (c code) f64(v float64) {
	b := []byte{0x44}
	for bits, i := math.Float64bits(v), 0; i < 8; i++ {
		b = append(b, byte(bits>>(8*i)))
	}
	c.Op(b...)
}
