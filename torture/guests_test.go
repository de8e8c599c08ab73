package torture_test

import (
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// build makes a module whose fetch is what body returns; it gets the indices of
// the host functions that it names, and may add functions of its own before.
func build(imports []string, body func(m *hosttest.Module, call map[string]uint32) [][]byte) []byte {
	var m hosttest.Module
	table := native.New().Modules()[0]
	call := map[string]uint32{}
	for _, name := range imports {
		f, ok := table.Find(name)
		if !ok {
			panic("no host function " + name)
		}
		call[name] = m.Import(table.Name, name, f.Params, f.Results)
	}
	m.Memory(2)
	m.Data(0, []byte("hello"))
	ops := body(&m, call)
	m.Func("fetch", nil, nil, []byte{0x7f}, ops...)
	return m.Bytes()
}

func numbers(values ...int32) (ops []byte) {
	for _, v := range values {
		ops = append(ops, hosttest.I32Const(v)...)
	}
	return ops
}

// forever repeats ops until the guest is stopped.
func forever(ops ...[]byte) [][]byte {
	return append(append([][]byte{hosttest.Loop}, ops...), hosttest.Br(0), hosttest.End)
}

// good answers hello.
func good() []byte {
	return build([]string{"respond"}, func(_ *hosttest.Module, call map[string]uint32) [][]byte {
		return [][]byte{numbers(200, 0, 0, 0, 5), hosttest.Call(call["respond"]), hosttest.Drop}
	})
}

// evil are guests that want to take everybody down with them, by what they do.
func evil() map[string][]byte {
	simple := func(ops ...[]byte) []byte {
		return build(nil, func(*hosttest.Module, map[string]uint32) [][]byte { return ops })
	}
	return map[string][]byte{
		"endless loops":    simple(forever()...),
		"doubling calls":   build(nil, doubling),
		"deep recursion":   build(nil, deep),
		"traps":            simple(hosttest.Unreachable),
		"growing memory":   simple(growing()...),
		"log floods":       build([]string{"log"}, logging),
		"random floods":    build([]string{"random"}, random),
		"large responses":  build([]string{"respond"}, large),
		"silent endings":   simple(),
		"filling, copying": simple(append(growing(), forever(numbers(0, 1<<16, 1<<16), memoryCopy)...)...),
	}
}

var memoryCopy = []byte{0xfc, 0x0a, 0, 0}

// growing takes all the memory there is and writes to it.
func growing() [][]byte {
	const page, at = 1 << 16, 0
	return [][]byte{hosttest.Block, hosttest.Loop,
		numbers(16), hosttest.MemoryGrow, hosttest.LocalTee(at), numbers(-1), hosttest.I32Eq, hosttest.BrIf(1),
		hosttest.LocalGet(at), numbers(page), i32Mul, numbers(0xff, 16*page), memoryFill,
		hosttest.Br(0), hosttest.End, hosttest.End}
}

var (
	i32Mul     = []byte{0x6c}
	memoryFill = []byte{0xfc, 0x0b, 0}
)

func doubling(m *hosttest.Module, _ map[string]uint32) [][]byte {
	const self = 0 // it imports nothing
	half := append(append(hosttest.LocalGet(0), numbers(1)...), append(append([]byte{}, hosttest.I32Sub...), hosttest.Call(self)...)...)
	f := m.Func("", []byte{0x7f}, nil, nil, hosttest.LocalGet(0), hosttest.If, half, half, hosttest.End)
	return [][]byte{numbers(1000), hosttest.Call(f)}
}

func deep(m *hosttest.Module, _ map[string]uint32) [][]byte {
	const self = 0
	f := m.Func("", []byte{0x7f}, []byte{0x7f}, nil, hosttest.LocalGet(0), numbers(1), hosttest.I32Add, hosttest.Call(self), hosttest.LocalGet(0), hosttest.I32Add)
	return [][]byte{numbers(0), hosttest.Call(f), hosttest.Drop}
}

func logging(_ *hosttest.Module, call map[string]uint32) [][]byte {
	return forever(numbers(1, 0, 60_000), hosttest.Call(call["log"]), hosttest.Drop)
}

func random(_ *hosttest.Module, call map[string]uint32) [][]byte {
	return forever(numbers(0, 65_536), hosttest.Call(call["random"]), hosttest.Drop)
}

// large answers with 32 MiB.
func large(_ *hosttest.Module, call map[string]uint32) [][]byte {
	return [][]byte{numbers(510), hosttest.MemoryGrow, hosttest.Drop, numbers(200, 0, 0, 0, 32<<20), hosttest.Call(call["respond"]), hosttest.Drop}
}
