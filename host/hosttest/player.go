package hosttest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/tetratelabs/wazero/api"
)

// Player is a guest that does what the test says: it calls host functions with
// a memory of one page, which is filled with '?' when an Invocation begins.
type Player struct {
	*Instance
	Call *host.Call
	t    testing.TB
}

// NewPlayer begins an Invocation of a guest that imports all of modules.
func NewPlayer(t testing.TB, inv Invocation, modules ...*abi.Module) *Player {
	t.Helper()
	p := &Player{MustLoad(t, script{modules}, Proxy(modules...)).Instantiate(t), nil, t}
	p.begin(inv)
	return p
}

// Next ends the Invocation and begins another on the same instance.
func (p *Player) Next(inv Invocation) Result {
	result := p.End()
	p.begin(inv)
	return result
}

func (p *Player) begin(inv Invocation) {
	p.Memory().Write(0, bytes.Repeat([]byte{'?'}, int(p.Memory().Size())))
	p.Call = p.Begin(p.t, inv)
}

// Must calls a host function that returns one number, signed.
func (p *Player) Must(name string, args ...int64) int64 {
	p.t.Helper()
	got, err := p.Try(name, args...)
	if err != nil {
		p.t.Fatalf("%s%v: %v", name, args, err)
	}
	return got
}

// Want calls a host function and checks what it returns.
func (p *Player) Want(want int64, name string, args ...int64) {
	p.t.Helper()
	if got := p.Must(name, args...); got != want {
		p.t.Errorf("%s%v returned %d, want %d", name, args, got, want)
	}
}

// Try calls a host function that may trap. Without a result it returns 0.
func (p *Player) Try(name string, args ...int64) (int64, error) {
	raw := make([]uint64, len(args))
	for i, a := range args {
		raw[i] = uint64(a)
	}
	results, err := p.Do(name, raw...)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	types := p.module.ExportedFunction(name).Definition().ResultTypes()
	if slices.Equal(types, []api.ValueType{abi.I32}) {
		return int64(int32(results[0])), nil
	}
	return int64(results[0]), nil
}

// WantMemory checks what is at offset, and that the bytes around it are as they were.
func (p *Player) WantMemory(offset uint32, want string) {
	p.t.Helper()
	guarded, _ := p.Memory().Read(offset-1, uint32(len(want)+2))
	if got := string(guarded); got != "?"+want+"?" {
		p.t.Errorf("memory at %d is %q, want %q between question marks", offset, got, want)
	}
}

// Bytes copies n bytes out of the memory.
func (p *Player) Bytes(offset, n uint32) []byte {
	p.t.Helper()
	b, ok := p.Memory().Read(offset, n)
	if !ok {
		p.t.Fatalf("%d bytes at %d are not in memory", n, offset)
	}
	return bytes.Clone(b)
}

// Uint32 reads a number.
func (p *Player) Uint32(offset uint32) uint32 {
	return binary.LittleEndian.Uint32(p.Bytes(offset, 4))
}

// Uint64 reads a number.
func (p *Player) Uint64(offset uint32) uint64 {
	return binary.LittleEndian.Uint64(p.Bytes(offset, 8))
}

// Put writes values one after the other: numbers of a fixed size or strings.
func (p *Player) Put(offset uint32, values ...any) {
	p.t.Helper()
	for _, v := range values {
		if s, ok := v.(string); ok {
			v = []byte(s)
		}
		b, err := binary.Append(nil, binary.LittleEndian, v)
		if err != nil {
			p.t.Fatal(err)
		}
		if !p.Memory().Write(offset, b) {
			p.t.Fatalf("%d bytes at %d are not in memory", len(b), offset)
		}
		offset += uint32(len(b))
	}
}

// script is the ABI of a Player.
type script struct{ modules []*abi.Module }

func (script) Name() string                             { return "script" }
func (s script) Modules() []*abi.Module                 { return s.modules }
func (script) Match(*abi.Shape) (abi.Plan, bool, error) { return abi.Plan{}, true, nil }
func (script) Enter(*host.Call)                         {}
func (script) Leave(_ *host.Call, err error) error      { return err }
