package runtime_test

import (
	"slices"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/tetratelabs/wazero/api"
)

// trait is a kind of state: it gives it to a module, and says how a guest looks at
// it and how it spoils it.
type trait func(b *builder) (finds []find, spoil []byte)

// linear is the memory, every guest's first trait. What is added to it must be zero.
func linear(*builder) ([]find, []byte) {
	size := slices.Concat(hosttest.MemorySize, hosttest.I32Const(16), hosttest.I32Shl)
	hashed := slices.Concat(hosttest.Loop,
		hosttest.LocalGet(hash), hosttest.LocalGet(address), hosttest.I32Load(0), hosttest.I32Xor,
		hosttest.I32Const(hashPrime), hosttest.I32Mul, hosttest.LocalSet(hash),
		hosttest.LocalGet(address), hosttest.I32Const(4), hosttest.I32Add, hosttest.LocalTee(address), size, hosttest.I32LtU,
		hosttest.BrIf(0), hosttest.End, hosttest.LocalGet(hash))
	return []find{
		{"memory", hashed, 0},
		{"pages", hosttest.MemorySize, hostilePages},
		{"added memory", slices.Concat(growBy(1), hosttest.I32Const(hostilePages<<16), hosttest.I32Load(100)), 0},
	}, slices.Concat(hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Load8U(atTag), size, hosttest.MemoryFill)
}

// variable is a global that is compared with what it was at first, and set.
func (b *builder) variable(name string, t api.ValueType, first, spoilt, equal []byte) (find, []byte) {
	g := b.GlobalOf(t, first)
	return find{name, slices.Concat(hosttest.GlobalGet(g), first, equal), 1}, append(spoilt, hosttest.GlobalSet(g)...)
}

func numbers(b *builder) (finds []find, spoil []byte) {
	for _, v := range []struct {
		name                 string
		t                    api.ValueType
		first, spoilt, equal []byte
	}{
		{"i32", api.ValueTypeI32, hosttest.I32Const(-11), hosttest.I32Const(12), hosttest.I32Eq},
		{"i64", api.ValueTypeI64, hosttest.I64Const(-1 << 62), hosttest.I64Const(13), hosttest.I64Eq},
		{"f32", api.ValueTypeF32, hosttest.F32Const(1.5), hosttest.F32Const(14), hosttest.F32Eq},
		{"f64", api.ValueTypeF64, hosttest.F64Const(-1e300), hosttest.F64Const(15), hosttest.F64Eq},
	} {
		f, ops := b.variable(v.name, v.t, v.first, v.spoilt, v.equal)
		finds, spoil = append(finds, f), append(spoil, ops...)
	}
	return finds, spoil
}

func vectors(b *builder) ([]find, []byte) {
	const v128 = 0x7b
	f, spoil := b.variable("v128", v128, hosttest.V128Const([16]byte{15: 1}), hosttest.V128Const([16]byte{15: 2}), hosttest.V128Eq)
	return []find{f}, spoil
}

// references is set without ref.func, by which alone instances can't be put back.
func references(b *builder) ([]find, []byte) {
	const funcref = 0x70
	t := b.Table(1)
	b.Elements(t, b.Func("", nil, nil, nil))
	g := b.GlobalOf(funcref, hosttest.RefNull)
	return []find{{"reference", slices.Concat(hosttest.GlobalGet(g), hosttest.RefIsNull), 1}},
		slices.Concat(hosttest.I32Const(0), hosttest.TableGet(t), hosttest.GlobalSet(g))
}

// tables swaps two entries, and copies one to where there was none.
func tables(b *builder) ([]find, []byte) {
	t := b.Table(4)
	b.Elements(t, b.Func("", nil, i32, nil, hosttest.I32Const(7)), b.Func("", nil, i32, nil, hosttest.I32Const(8)))
	get := func(n int32) []byte { return append(hosttest.I32Const(n), hosttest.TableGet(t)...) }
	called := func(n int32) []byte { return append(hosttest.I32Const(n), b.CallIndirect(t, nil, i32)...) }
	set := func(n int32, ref []byte) []byte {
		return slices.Concat(hosttest.I32Const(n), ref, hosttest.TableSet(t))
	}
	return []find{
		{"size of table", hosttest.TableSize(t), 4},
		{"entry 0", called(0), 7},
		{"entry 1", called(1), 8},
		{"entry 2", slices.Concat(get(2), hosttest.RefIsNull), 1},
	}, slices.Concat(set(2, get(0)), set(0, get(1)), set(1, get(2)), get(0), hosttest.I32Const(5), hosttest.TableGrow(t), hosttest.Drop)
}

// segments are found by using them, which traps once they are dropped.
func segments(b *builder) ([]find, []byte) {
	f := b.Func("", nil, nil, nil)
	t := b.Table(1)
	elements, data := b.PassiveElements(f), b.PassiveData([]byte{1, 2, 3, 4})
	from := func(to int32, n int32) []byte {
		return slices.Concat(hosttest.I32Const(to), hosttest.I32Const(0), hosttest.I32Const(n))
	}
	return []find{
		{"data segment", slices.Concat(from(atScratch, 4), hosttest.MemoryInit(data), hosttest.I32Const(0), hosttest.I32Load(atScratch)), 0x04030201},
		{"element segment", slices.Concat(from(0, 1), hosttest.TableInit(elements, t), hosttest.I32Const(0), hosttest.TableGet(t), hosttest.RefIsNull), 0},
	}, append(hosttest.DataDrop(data), hosttest.ElemDrop(elements)...)
}

// droppedData is what segments is without a table.
func droppedData(b *builder) ([]find, []byte) {
	data := b.PassiveData([]byte{1, 2, 3, 4})
	ops := slices.Concat(hosttest.I32Const(atScratch), hosttest.I32Const(0), hosttest.I32Const(4), hosttest.MemoryInit(data), hosttest.I32Const(0), hosttest.I32Load(atScratch))
	return []find{{"data segment", ops, 0x04030201}}, hosttest.DataDrop(data)
}

// descriptors are those of WASI: the host keeps them.
func descriptors(b *builder) (finds []find, spoil []byte) {
	for _, fd := range []int32{0, 1, 2} {
		finds = append(finds,
			find{"descriptor", b.call("fd_fdstat_get", fd, atScratch), 0},
			find{"its flags", slices.Concat(hosttest.I32Const(0), hosttest.I32Load8U(atScratch+2)), 0})
	}
	return finds, slices.Concat(
		b.call("fd_fdstat_set_flags", 1, 4), hosttest.Drop, b.call("fd_fdstat_set_flags", 2, 1), hosttest.Drop,
		b.call("fd_renumber", 2, 1), hosttest.Drop, b.call("fd_close", 0), hosttest.Drop, b.call("fd_close", 1), hosttest.Drop)
}
