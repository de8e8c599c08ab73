package engine

import (
	"slices"

	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// glue is what the reactor is extended with.
func glue() wasm.Extension {
	x := wasm.Extension{Globals: []wasm.AddedGlobal{
		{Name: "runtime", Type: wasm.I32},
		{Name: "context", Type: wasm.I32},
		{Name: "scratch", Type: wasm.I32},
		{Name: "pools", Type: wasm.I32},     // see heap.go
		{Name: "bump", Type: wasm.I32},      // the next block of the chunk
		{Name: "chunk end", Type: wasm.I32}, // behind the chunk
		{Name: "handler", Type: wasm.I64},   // a function of the platform; see platform/worker.js
	}}
	for _, f := range js.Module().Funcs {
		x.Imports = append(x.Imports, wasm.AddedImport{Module: js.Name, Name: f.Name, Type: wasm.FuncType{Params: valTypes(f.Params), Results: valTypes(f.Results)}})
	}
	x.Funcs = []wasm.AddedFunc{
		{Name: js.StartExport, Export: true, Body: body(start)},
		{Name: js.InitializeExport, Export: true, Locals: types(wasm.I64, wasm.I64), Body: body(initialize)},
		{Name: js.EntryExport, Export: true, Locals: types(wasm.I64), Body: body(events)},
		{Name: "make context", Body: body(makeContext)},
		{Name: "fill holes", Locals: types(wasm.I32, wasm.I32, wasm.I32), Body: body(fillHoles)},
		{Name: "run platform", Locals: types(wasm.I32, wasm.I64, wasm.I32), Body: body(runPlatform)},
		{Name: "handle", Type: wasm.FuncType{Params: types(wasm.I64)}, Body: body(handle)},
		{Name: "run jobs", Locals: types(wasm.I32), Body: body(runJobs)},
		{Name: "check", Type: wasm.FuncType{Params: types(wasm.I64), Results: types(wasm.I64)}, Body: body(check)},
		{Name: "give up", Locals: types(wasm.I32), Body: body(giveUp)},
		{Name: "pull", Type: wasm.FuncType{Params: types(wasm.I64), Results: types(wasm.I32)}, Locals: types(wasm.I32), Body: body(pull)},
		{Name: "host call", Type: cFunction, Locals: types(wasm.I32, wasm.I32, wasm.I32, wasm.I32, wasm.I64), Pointer: true, Body: body(hostCall)},
		{Name: "value of", Type: wasm.FuncType{Params: types(wasm.I64), Results: types(wasm.I64)}, Locals: types(wasm.I32, wasm.I64), Body: body(valueOf)},
		{Name: "math random", Type: cFunction, Pointer: true, Body: body(mathRandom)},
		{Name: "load module", Type: loader, Locals: types(wasm.I32, wasm.I32, wasm.I64), Pointer: true, Body: body(loadModule)},
		{Name: "compile", Type: cFunction, Locals: types(wasm.I32, wasm.I32), Pointer: true, Body: body(compile)},
		{Name: "rejected", Type: tracker, Pointer: true, Body: body(rejected)},
		{Name: "lre_compile", Type: lreCompile, Wraps: true, Locals: types(wasm.I32), Body: body(anchorRegexp)},
		{Name: "release", Type: release, Pointer: true, Body: body(releaseBuffer)},
	}
	x.Funcs = append(x.Funcs, heapFuncs()...)
	return x
}

func body(write func(code)) func(*wasm.Code) {
	return func(c *wasm.Code) { write(code{c}) }
}

func valTypes(in []byte) (out []wasm.ValType) {
	for _, t := range slices.All(in) {
		out = append(out, wasm.ValType(t))
	}
	return out
}

// start makes an engine and runs the platform.
func start(c code) {
	c.Call("_initialize")
	c.Call("make context")
	c.Call("run platform")
	c.Call("fill holes")
}

// initialize runs the user's modules. What is left of it is what each request begins
// with.
func initialize(c code) {
	c.GlobalGet("handler")
	c.Op(opI64Eqz)
	c.If(func() { c.Call(js.StartExport) })
	for _, e := range []int64{js.EventLoad, js.EventLoaded} {
		c.I64(e)
		c.Call("handle")
	}
	c.GlobalGet("runtime")
	c.Call("JS_RunGC")
	c.GlobalGet("runtime")
	c.I32(firstCollection)
	c.Call("JS_SetGCThreshold")
	c.Call("fill holes")
}

// makeContext gives C code a larger stack and begins an engine without the
// libraries of its own that reach outside.
func makeContext(c code) {
	c.I32(stackSize)
	c.Call("malloc")
	c.I32(stackSize)
	c.Op(opI32Add)
	c.StackSet()
	c.I32(1)
	c.I32(scratchSize)
	c.Call("calloc")
	c.GlobalSet("scratch")
	makeHeap(c)
	c.I32(0)
	c.Call("JS_NewRuntime2")
	c.GlobalSet("runtime")
	c.GlobalGet("runtime")
	c.StackGet()
	c.I32(stackSize - stackReserve)
	c.Op(opI32Sub)
	c.Op(storeStackLimit...)
	c.GlobalGet("runtime")
	c.I32(0)
	c.Pointer("load module")
	c.I32(0)
	c.Call("JS_SetModuleLoaderFunc")
	c.GlobalGet("runtime")
	c.Pointer("rejected")
	c.I32(0)
	c.Call("JS_SetHostPromiseRejectionTracker")
	c.GlobalGet("runtime")
	c.Call("JS_NewContext")
	c.GlobalSet("context")
}

// runPlatform evaluates the platform's source, whose value is a function, and
// calls that with the functions of the host. It returns the handler of events.
func runPlatform(c code) {
	const source, f, size = 0, 1, 2
	c.hostOp(js.OpPlatform)
	c.Call("pull")
	c.LocalSet(source)
	c.length()
	c.LocalSet(size)
	c.GlobalGet("context")
	c.Local(source)
	c.Local(size)
	c.hostOp(js.OpPlatformName)
	c.Call("pull")
	c.I32(evalGlobal)
	c.Call("JS_Eval")
	c.Call("check")
	c.LocalSet(f)
	c.Local(source)
	c.Call("free")
	c.Call("fill holes")
	for i, name := range []string{"host call", "math random", "compile"} {
		c.scratch(atRejection + int32(i)*valueSize)
		c.newFunction(name)
		c.Op(store64...)
	}
	c.GlobalGet("context")
	c.Local(f)
	c.I64(undefined)
	c.I32(3)
	c.scratch(atRejection)
	c.Call("JS_Call")
	c.Call("check")
	c.GlobalSet("handler")
	c.Call("run jobs")
}

// newFunction pushes a function value for one that is in the table.
func (c code) newFunction(name string) {
	const parameters, generic, magic = 4, 0, 0
	c.GlobalGet("context")
	c.Pointer(name)
	c.scratch(atEmptyString)
	c.I32(parameters)
	c.I32(generic)
	c.I32(magic)
	c.Call("JS_NewCFunction2")
}

// hostOp calls the host without arguments.
func (c code) hostOp(op int32) {
	c.I32(op)
	for range 5 {
		c.I32(0)
	}
	c.Call("call")
}

// events is the loop of events of one Invocation: the request, and then each
// operation of the host that has finished, until there is nothing to wait for.
func events(c code) {
	const event = 0
	c.Block(func() {
		c.Loop(func() {
			c.Call("next")
			c.LocalSet(event)
			c.Local(event)
			c.I64(0)
			c.Op(opI64LtS)
			c.BrIf(1)
			c.Local(event)
			c.Call("handle")
			c.Br(0)
		})
	})
}

// handle calls the handler with a number, and runs what that has made ready.
func handle(c code) {
	c.scratch(atArguments)
	c.Local(0)
	c.Op(store64...)
	c.GlobalGet("context")
	c.GlobalGet("context")
	c.GlobalGet("handler")
	c.I64(undefined)
	c.I32(1)
	c.scratch(atArguments)
	c.Call("JS_Call")
	c.Call("check")
	c.Call("JS_FreeValue")
	c.Call("run jobs")
}

func runJobs(c code) {
	const more = 0
	c.Loop(func() {
		c.GlobalGet("runtime")
		c.scratch(atContext)
		c.Call("JS_ExecutePendingJob")
		c.LocalSet(more)
		c.Local(more)
		c.I32(0)
		c.Op(opI32LtS)
		c.If(func() { c.Call("give up") })
		c.Local(more)
		c.BrIf(0)
	})
}

// check ends the Invocation if the value says that there was an exception: the
// platform catches those that are the user's.
func check(c code) {
	c.Local(0)
	c.tag()
	c.I32(tagException)
	c.Op(opI32Eq)
	c.If(func() { c.Call("give up") })
	c.Local(0)
}

// giveUp tells the host of the exception, and does not return.
func giveUp(c code) {
	const text = 0
	c.GlobalGet("context")
	c.scratch(atLength)
	c.GlobalGet("context")
	c.Call("JS_GetException")
	c.I32(0)
	c.Call("JS_ToCStringLen2")
	c.LocalSet(text)
	c.Local(text)
	c.length()
	c.Call("fail")
	c.Op(opUnreachable)
}

// pull takes a text that the host has ready, with a zero behind it: its length
// lies at atLength then.
func pull(c code) {
	const result, p = 0, 1
	c.scratch(atLength)
	c.Local(result)
	c.Op(opI32WrapI64)
	c.Op(store32...)
	c.length()
	c.I32(1)
	c.Op(opI32Add)
	c.Call("malloc")
	c.LocalSet(p)
	c.Local(p)
	c.Call("take")
	c.Local(p)
	c.length()
	c.Op(opI32Add)
	c.I32(0)
	c.Op(store8...)
	c.Local(p)
}
