package engine

import (
	"math"

	"github.com/mayfly-run/mayfly/host/js"
)

// hostCall is the function host(op, n, text, data) of JavaScript. text is a
// string, data a string or a Uint8Array, and any but op may be left out. Where the
// parameters of a C function are: context, this, count, arguments.
func hostCall(c code) {
	const context, arguments = 0, 3
	const text, textLength, data, dataLength, result = 4, 5, 6, 7, 8
	argument := func(i int32) {
		c.Local(arguments)
		c.I32(i * valueSize)
		c.Op(opI32Add)
	}
	isString := func(i int32) {
		argument(i)
		c.Op(load32[0], 2, 4) // the tag
		c.I32(tagString)
		c.Op(0x6b) // i32.sub
		c.I32(tagRope - tagString + 1)
		c.Op(opI32LtU)
	}
	toText := func(i int32, p, n uint32) {
		isString(i)
		c.If(func() {
			c.Local(context)
			c.scratch(atLength)
			argument(i)
			c.Op(load64...)
			c.I32(0)
			c.Call("JS_ToCStringLen2")
			c.LocalSet(p)
			c.length()
			c.LocalSet(n)
			c.Local(p)
			c.Op(opI32Eqz)
			c.If(c.returnException)
		})
	}
	toText(2, text, textLength)
	toText(3, data, dataLength)
	argument(3)
	c.Op(load32[0], 2, 4)
	c.I32(tagObject)
	c.Op(opI32Eq)
	c.If(func() {
		c.scratch(atLength)
		c.I32(0)
		c.Op(store32...)
		c.Local(context)
		c.scratch(atLength)
		argument(3)
		c.Op(load64...)
		c.Call("JS_GetUint8Array")
		c.LocalSet(data)
		c.length()
		c.LocalSet(dataLength)
		c.Local(context)
		c.Call("JS_HasException")
		c.If(c.returnException)
	})
	argument(0)
	c.Op(load32...)
	argument(1)
	c.Op(load32...)
	for _, l := range []uint32{text, textLength, data, dataLength} {
		c.Local(l)
	}
	c.Call("call")
	c.LocalSet(result)
	free := func(i int32, p uint32) {
		isString(i)
		c.If(func() {
			c.Local(context)
			c.Local(p)
			c.Call("JS_FreeCString")
		})
	}
	free(2, text)
	free(3, data)
	c.Local(result)
	c.Call("value of")
}

func (c code) returnException() {
	c.I64(tagException << 32)
	c.Op(opReturn)
}

// valueOf turns a result of the host into a value: itself, or a text or bytes
// that are taken.
func valueOf(c code) {
	const result, p, value = 0, 1, 2
	kind := func() { c.Local(result); c.tag() }
	size := func() { c.Local(result); c.Op(opI32WrapI64) }
	kind()
	c.I32(js.KindText)
	c.Op(opI32LtS)
	c.If(func() {
		c.Local(result)
		c.Op(opReturn)
	})
	size()
	c.Call("malloc")
	c.LocalSet(p)
	c.Local(p)
	c.Call("take")
	kind()
	c.I32(js.KindBytes)
	c.Op(opI32Eq)
	c.If(func() {
		c.GlobalGet("context")
		c.Local(p)
		size()
		c.Pointer("release")
		c.I32(0)
		c.I32(0)
		c.Call("JS_NewUint8Array")
		c.Op(opReturn)
	})
	c.GlobalGet("context")
	c.Local(p)
	size()
	c.Call("JS_NewStringLen")
	c.LocalSet(value)
	c.Local(p)
	c.Call("free")
	kind()
	c.I32(js.KindThrow)
	c.Op(opI32Eq)
	c.If(func() {
		c.GlobalGet("context")
		c.Local(value)
		c.Call("JS_Throw")
		c.Op(opReturn)
	})
	c.Local(value)
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

// loadModule compiles a module whose source the host has. Its parameters: context,
// name, opaque.
func loadModule(c code) {
	const context, name = 0, 1
	const size, source, value = 3, 4, 5
	c.Loop(func() { // strlen
		c.Local(name)
		c.Local(size)
		c.Op(opI32Add)
		c.Op(load8...)
		c.If(func() {
			c.Local(size)
			c.I32(1)
			c.Op(opI32Add)
			c.LocalSet(size)
			c.Br(1)
		})
	})
	c.I32(js.OpSource)
	c.I32(0)
	c.Local(name)
	c.Local(size)
	c.I32(0)
	c.I32(0)
	c.Call("call")
	c.LocalSet(value)
	c.Local(value)
	c.tag()
	c.I32(js.KindText)
	c.Op(0x47) // i32.ne
	c.If(func() {
		c.Local(value)
		c.throwText()
		c.I32(0)
		c.Op(opReturn)
	})
	c.Local(value)
	c.Call("pull")
	c.LocalSet(source)
	c.Local(context)
	c.Local(source)
	c.length()
	c.Local(name)
	c.I32(evalModule | compileOnly)
	c.Call("JS_Eval")
	c.LocalSet(value)
	c.Local(source)
	c.Call("free")
	c.Local(value)
	c.tag()
	c.I32(tagException)
	c.Op(opI32Eq)
	c.If(func() {
		c.I32(0)
		c.Op(opReturn)
	})
	c.Local(context)
	c.Local(value)
	c.Call("JS_FreeValue") // the engine's list of modules holds it
	c.Local(value)
	c.Op(opI32WrapI64)
}

// throwText throws an Error with the text that the host has ready.
func (c code) throwText() {
	const result = 5
	c.LocalSet(result)
	c.scratch(atRejection)
	c.Local(result)
	c.Call("pull")
	c.Op(store32...)
	c.scratch(atFormat)
	c.I32('%' | 's'<<8)
	c.Op(store32...)
	c.GlobalGet("context")
	c.scratch(atFormat)
	c.scratch(atRejection)
	c.Call("JS_ThrowPlainError")
	c.Op(opDrop)
	c.scratch(atRejection)
	c.Op(load32...)
	c.Call("free")
}

// compile is the function compile(name) of JavaScript: it has a module ready that
// may be imported later. The parameters are those of hostCall.
func compile(c code) {
	const context, arguments = 0, 3
	const name, module = 4, 5
	c.Local(context)
	c.scratch(atLength)
	c.Local(arguments)
	c.Op(load64...)
	c.I32(0)
	c.Call("JS_ToCStringLen2")
	c.LocalSet(name)
	c.Local(name)
	c.Op(opI32Eqz)
	c.If(c.returnException)
	c.Local(context)
	c.Local(name)
	c.I32(0)
	c.Call("load module")
	c.LocalSet(module)
	c.Local(context)
	c.Local(name)
	c.Call("JS_FreeCString")
	c.Local(module)
	c.Op(opI32Eqz)
	c.If(c.returnException)
	c.I64(undefined)
}

// rejected tells the handler of a promise that was rejected while nobody listens,
// or that is listened to now. Its parameters: context, promise, reason, whether
// it is handled, opaque.
func rejected(c code) {
	const context, promise, reason, handled = 0, 1, 2, 3
	c.GlobalGet("handler")
	c.I64(0)
	c.Op(0x51) // i64.eq
	c.If(func() { c.Op(opReturn) })
	c.scratch(atRejection)
	c.I64(js.EventRejected)
	c.I64(js.EventHandled)
	c.Local(handled)
	c.Op(opI32Eqz, 0x1b) // select
	c.Op(store64...)
	for i, l := range []uint32{promise, reason} {
		c.scratch(atRejection + int32(i+1)*valueSize)
		c.Local(l)
		c.Op(store64...)
	}
	c.Local(context)
	c.Local(context)
	c.GlobalGet("handler")
	c.I64(undefined)
	c.I32(3)
	c.scratch(atRejection)
	c.Call("JS_Call")
	c.Call("check")
	c.Call("JS_FreeValue")
}
