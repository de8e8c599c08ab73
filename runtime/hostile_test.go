package runtime_test

import (
	"encoding/binary"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// hostile is a guest that looks at all its state when it begins, answers with what
// it finds, spoils everything and ends as the request says.
type hostile struct {
	wasm  []byte
	finds []find
	// command: it is a WASI command, whose answer is known when it has ended, and
	// not a guest of the native ABI.
	command bool
}

// find leaves an i32 that tells of state, and says what that is in the first-ever
// state.
type find struct {
	name string
	ops  []byte
	want uint32
}

// ends are the ways to end, by the number that is in the request.
var ends = []struct {
	name string
	want host.Outcome
	ops  func(b *builder) []byte
}{
	{"returns", host.OutcomeOK, func(*builder) []byte { return nil }},
	{"traps", host.OutcomeException, func(*builder) []byte { return hosttest.Unreachable }},
	{"exits", host.OutcomeOK, func(b *builder) []byte { return b.call("proc_exit", 0) }},
	{"exits with an error", host.OutcomeException, func(b *builder) []byte { return b.call("proc_exit", 3) }},
	{"stores outside", host.OutcomeException, func(*builder) []byte {
		return slices.Concat(hosttest.I32Const(-4), hosttest.I32Const(1), hosttest.I32Store(0))
	}},
	{"passes a range outside", host.OutcomeException, func(b *builder) []byte {
		return append(b.call("random_get", -8, 16), hosttest.Drop...)
	}},
	{"is refused memory", host.OutcomeOK, func(*builder) []byte { return growBy(100) }},
	{"is refused memory and traps", host.OutcomeExceededMemory, func(*builder) []byte {
		return append(growBy(100), hosttest.Unreachable...)
	}},
	{"recurses for ever", host.OutcomeException, func(b *builder) []byte { return hosttest.Call(b.abyss) }},
	{"runs for ever", host.OutcomeExceededWallTime, func(*builder) []byte {
		return slices.Concat(hosttest.Loop, hosttest.Br(0), hosttest.End)
	}},
}

// quick ways to end come first; runsForEver takes until the limit.
const quick, runsForEver = 8, 9

// builder makes a hostile guest.
type builder struct {
	hosttest.Module
	imports map[string]uint32
	memory  []byte // at first
	abyss   uint32 // a function that calls itself
}

const (
	hostilePages = 3 // more than what a reset copies as a whole
	hostileLimit = (hostilePages + 2) << 16
	hostileURL   = "http://test.localhost/" // and as many letters as the number of an end
	commandHead  = "content-type: application/octet-stream\n\n"
)

// Where things are in memory.
const (
	atTag     = 16 // its first byte counts
	atHead    = 512
	atVectors = 640 // one to read into, two to write from
	atScratch = 768
	atFinds   = 1024
	atLater   = 2<<16 + 20_000 // between pages of zeros
)

// Locals of the entry point.
const (
	address = iota
	hash
	end
)

var i32 = []abi.Type{abi.I32}

// newHostile makes a guest that has some traits beside its memory. Guests with the
// same ones share code and differ in their tag, with which they fill their memory.
func newHostile(tag string, command bool, traits ...trait) hostile {
	b := &builder{memory: make([]byte, hostilePages<<16)}
	modules := native.New().Modules()
	if command {
		modules = modules[1:] // that of WASI
	}
	b.imports = b.ImportAll(modules...)
	b.abyss = uint32(len(b.imports))
	b.Func("", nil, nil, nil, hosttest.Call(b.abyss))
	b.Memory(hostilePages)
	h := hostile{command: command}
	var spoil []byte
	for _, t := range append([]trait{linear}, traits...) {
		finds, ops := t(b)
		h.finds, spoil = append(h.finds, finds...), append(spoil, ops...)
	}
	b.place(atTag, []byte(tag))
	b.place(atLater, []byte(tag))
	b.place(atHead, []byte(commandHead))
	b.place(atVectors, words(atScratch, 100, atHead, len(commandHead), atFinds, 4*len(h.finds)))
	h.finds[0].want = hashOf(b.memory)
	b.Func(entry(command), nil, nil, slices.Repeat(i32, 3),
		b.look(h.finds), b.answer(command, len(h.finds)), spoil, b.end())
	h.wasm = b.Bytes()
	return h
}

func entry(command bool) string {
	if command {
		return "_start"
	}
	return "fetch"
}

// place has content in memory from the beginning.
func (b *builder) place(offset uint32, content []byte) {
	copy(b.memory[offset:], content)
	b.Data(offset, content)
}

// call calls an import with constants.
func (b *builder) call(name string, args ...int32) (ops []byte) {
	for _, a := range args {
		ops = append(ops, hosttest.I32Const(a)...)
	}
	return append(ops, hosttest.Call(b.imports[name])...)
}

// look keeps all that there is to find. The memory comes first, since this changes it.
func (b *builder) look(finds []find) (ops []byte) {
	for n, f := range finds {
		ops = slices.Concat(ops, hosttest.I32Const(int32(atFinds+4*n)), f.ops, hosttest.I32Store(0))
	}
	return ops
}

// answer tells what was found, and remembers how to end: commands have that as the
// length of the request's body, others as that of its URL.
func (b *builder) answer(command bool, finds int) []byte {
	if command {
		return slices.Concat(b.call("fd_read", 0, atVectors, 1, atScratch), hosttest.Drop,
			hosttest.I32Const(0), hosttest.I32Load(atScratch), hosttest.LocalSet(end),
			b.call("fd_write", 1, atVectors+8, 2, atScratch), hosttest.Drop)
	}
	return slices.Concat(b.call("request_url", 0, 0), hosttest.I32Const(int32(len(hostileURL))), hosttest.I32Sub, hosttest.LocalSet(end),
		b.call("respond", 200, 0, 0, atFinds, int32(4*finds)), hosttest.Drop)
}

func (b *builder) end() (ops []byte) {
	for n, e := range ends {
		ops = slices.Concat(ops, hosttest.LocalGet(end), hosttest.I32Const(int32(n)), hosttest.I32Eq,
			hosttest.If, e.ops(b), hosttest.End)
	}
	return ops
}

func growBy(pages int32) []byte {
	return slices.Concat(hosttest.I32Const(pages), hosttest.MemoryGrow, hosttest.Drop)
}

func words(list ...int) (b []byte) {
	for _, w := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(w))
	}
	return b
}

const hashPrime = 16777619 // of FNV-1a

// hashOf is what linear computes.
func hashOf(memory []byte) (h uint32) {
	for ; len(memory) > 0; memory = memory[4:] {
		h = (h ^ binary.LittleEndian.Uint32(memory)) * hashPrime
	}
	return h
}
