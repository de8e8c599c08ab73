package wasm

// encoder appends what the binary format consists of.
type encoder struct{ out []byte }

func (e *encoder) byte(b ...byte) { e.out = append(e.out, b...) }

func (e *encoder) raw(b []byte) { e.out = append(e.out, b...) }

func (e *encoder) u32(v uint32) { e.out = appendU32(e.out, v) }

func appendU32(out []byte, v uint32) []byte {
	for ; v >= 0x80; v >>= 7 {
		out = append(out, byte(v)|0x80)
	}
	return append(out, byte(v))
}

func (e *encoder) signed(v int64) {
	for ; v < -64 || v > 63; v >>= 7 {
		e.out = append(e.out, byte(v)|0x80)
	}
	e.out = append(e.out, byte(v)&0x7f)
}

func (e *encoder) name(s string) {
	e.u32(uint32(len(s)))
	e.out = append(e.out, s...)
}

// op writes an opcode of one byte and its index.
func (e *encoder) op(op opcode, index uint32) {
	e.byte(byte(op))
	e.u32(index)
}

func (e *encoder) i32Const(v int32) {
	e.byte(byte(opI32Const))
	e.signed(int64(v))
}

func (e *encoder) i64Const(v int64) {
	e.byte(byte(opI64Const))
	e.signed(v)
}

func (e *encoder) valTypes(types []ValType) {
	e.u32(uint32(len(types)))
	for _, t := range types {
		e.byte(byte(t))
	}
}

func (e *encoder) funcType(t FuncType) {
	e.byte(0x60)
	e.valTypes(t.Params)
	e.valTypes(t.Results)
}

func (e *encoder) limits(low, high uint32, hasMax bool) {
	if !hasMax {
		e.byte(0)
		e.u32(low)
		return
	}
	e.byte(1)
	e.u32(low)
	e.u32(high)
}

// section writes an id, a size and what body writes.
func (e *encoder) section(id byte, body []byte) {
	e.byte(id)
	e.u32(uint32(len(body)))
	e.raw(body)
}
