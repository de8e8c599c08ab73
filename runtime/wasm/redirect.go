package wasm

// redirect writes a body that passes its parameters on.
func (b *bodyWriter) redirect(to redirection) {
	b.code.byte(0)
	if to.goUint64 {
		b.goResult(to.index)
		return
	}
	for i := range b.typ.Params {
		b.code.op(opLocalGet, uint32(i))
	}
	b.code.op(opCall, to.index)
	b.code.byte(byte(opEnd))
}

// Go's calling convention on wasm (cmd/internal/obj/wasm/wasmobj.go): a function
// is (i32) -> i32, from the block to resume at to whether the stack unwinds.
// Parameters and results lie in memory behind the return address, at the stack
// pointer, which is global 0 and which the function moves behind that address.
const (
	goStackPointer = 0
	goAddressSize  = 8
)

// followsGo says whether a function looks as if Go had compiled it.
func (m *Module) followsGo(f uint32) bool {
	return sameTypes(m.funcType(f).Params, oneType(I32)) && sameTypes(m.funcType(f).Results, oneType(I32)) &&
		len(m.memories) > 0 && m.importedGlobals == 0 && len(m.globals) > 0 &&
		m.globals[goStackPointer].Type == I32 && m.globals[goStackPointer].Mutable
}

// goResult stores the import's result behind the return address and returns.
func (b *bodyWriter) goResult(index uint32) {
	const i64Store, i32Add = 0x37, 0x6a
	b.code.op(opGlobalGet, goStackPointer)
	b.code.op(opCall, index)
	b.code.byte(i64Store, 3, goAddressSize)
	b.code.op(opGlobalGet, goStackPointer)
	b.code.i32Const(goAddressSize)
	b.code.byte(i32Add)
	b.code.op(opGlobalSet, goStackPointer)
	b.code.i32Const(0)
	b.code.byte(byte(opEnd))
}
