package engine

import "github.com/mayfly-run/mayfly/host/js"

// loadModule compiles a module whose source the host has. Its parameters: context,
// name, opaque.
func loadModule(c code) {
	const context, name = 0, 1
	const size, source, value = 3, 4, 5
	c.stringLength(name, size)
	c.I32(js.OpSource)
	c.I32(0)
	c.Local(name)
	c.Local(size)
	c.I32(0)
	c.I32(0)
	c.Call("call")
	c.LocalSet(value)
	c.ifNotText(value)
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
	c.If(c.returnZero)
	c.Local(context)
	c.Local(value)
	c.Call("JS_FreeValue") // the engine's list of modules holds it
	c.Local(value)
	c.Op(opI32WrapI64)
}

// stringLength sets a local to the length of a C string.
func (c code) stringLength(text, size uint32) {
	c.Loop(func() {
		c.Local(text)
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
}

// ifNotText throws what the host says instead of a module's source.
func (c code) ifNotText(value uint32) {
	c.Local(value)
	c.tag()
	c.I32(js.KindText)
	c.Op(opI32Ne)
	c.If(func() {
		c.Local(value)
		c.throwText()
		c.returnZero()
	})
}

func (c code) returnZero() {
	c.I32(0)
	c.Op(opReturn)
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
	c.Op(opI64Eq)
	c.If(func() { c.Op(opReturn) })
	c.scratch(atRejection)
	c.I64(js.EventRejected)
	c.I64(js.EventHandled)
	c.Local(handled)
	c.Op(opI32Eqz, opSelect)
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
