package engine

import (
	"fmt"

	"github.com/bytecodealliance/wasmtime-go/v44"
	"github.com/mayfly-run/mayfly/bench/guests"
)

// call is the host's side of one request.
type call struct {
	memory *wasmtime.Memory
	body   []byte // of the request, as far as it was not read
	reply  Reply
}

// hostFunc is a function of Mayfly's ABI, which takes and gives i32 only.
type hostFunc func(c *call, memory []byte, args []wasmtime.Val) int32

// hostFuncs are what the guests call to answer, with no more work than that
// takes. host/native/ABI.md says what they do. Ranges outside the memory panic,
// which ends the guest.
var hostFuncs = map[string]hostFunc{
	"request_url":  requestURL,
	"request_body": requestBody,
	"body_read":    bodyRead,
	"respond":      respond,
	"handles":      func(*call, []byte, []wasmtime.Val) int32 { return 0 }, // events of other kinds there are none
	"wait":         func(*call, []byte, []wasmtime.Val) int32 { return 0 }, // a body in memory is always ready
	"close":        func(*call, []byte, []wasmtime.Val) int32 { return 0 },
}

const (
	bodyHandle = 1
	notFound   = -3
)

func requestURL(_ *call, memory []byte, a []wasmtime.Val) int32 {
	if buf := bytesAt(memory, a[0], a[1]); len(buf) >= len(guests.URL) {
		copy(buf, guests.URL)
	}
	return int32(len(guests.URL))
}

func requestBody(c *call, _ []byte, _ []wasmtime.Val) int32 {
	if len(c.body) == 0 {
		return notFound
	}
	return bodyHandle
}

func bodyRead(c *call, memory []byte, a []wasmtime.Val) int32 {
	n := copy(bytesAt(memory, a[1], a[2]), c.body)
	c.body = c.body[n:]
	return int32(n)
}

func respond(c *call, memory []byte, a []wasmtime.Val) int32 {
	c.reply = Reply{int(a[0].I32()), append([]byte(nil), bytesAt(memory, a[3], a[4])...)}
	return 0
}

func bytesAt(memory []byte, offset, size wasmtime.Val) []byte {
	return memory[uint32(offset.I32()):][:uint32(size.I32())]
}

const wasiModule = "wasi_snapshot_preview1"

func importsWASI(m *wasmtime.Module) bool {
	for _, i := range m.Imports() {
		if i.Module() == wasiModule {
			return true
		}
	}
	return false
}

// link offers a module what it imports: WASI is wasmtime's own, and functions
// of Mayfly's that no request needs trap.
func link(engine *wasmtime.Engine, m *wasmtime.Module) (*wasmtime.Linker, error) {
	l := wasmtime.NewLinker(engine)
	if err := l.DefineWasi(); err != nil {
		return nil, fmt.Errorf("link WASI: %w", err)
	}
	l.AllowShadowing(true) // a module may import a function twice
	for _, i := range m.Imports() {
		if i.Module() == wasiModule {
			continue
		}
		if err := l.FuncNew(i.Module(), *i.Name(), i.Type().FuncType(), trampoline(*i.Name())); err != nil {
			return nil, fmt.Errorf("link %s: %w", *i.Name(), err)
		}
	}
	return l, nil
}

func trampoline(name string) func(*wasmtime.Caller, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
	do, ok := hostFuncs[name]
	return func(caller *wasmtime.Caller, args []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
		if !ok {
			return nil, wasmtime.NewTrap("the benchmark does not offer " + name)
		}
		c := caller.Data().(*call)
		return []wasmtime.Val{wasmtime.ValI32(do(c, c.memory.UnsafeData(caller), args))}, nil
	}
}
