package abi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/tetratelabs/wazero"
)

// calling is a Player of one function, "f".
func calling(t testing.TB, f abi.Func) *hosttest.Player {
	t.Helper()
	f.Name = "f"
	return hosttest.NewPlayer(t, hosttest.Invocation{}, &abi.Module{Name: "test", Funcs: []abi.Func{f}})
}

var (
	i32 = []abi.Type{abi.I32}
	i64 = []abi.Type{abi.I64}
)

// Numbers cross in both directions with their width and sign.
func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		params, results []abi.Type
		do              func(a abi.Args) int64
		arg, want       int64
	}{
		{i32, i32, func(a abi.Args) int64 { return int64(a.U32(0)) }, -1, -1},
		{i32, i64, func(a abi.Args) int64 { return int64(a.U32(0)) }, -1, 1<<32 - 1},
		{i64, i64, func(a abi.Args) int64 { return a.I64(0) }, -1 << 63, -1 << 63},
		{i64, i64, func(a abi.Args) int64 { return int64(a.U64(0) >> 1) }, -1, 1<<63 - 1},
		{i64, i32, func(a abi.Args) int64 { return a.I64(0) }, 1 << 32, 0},
		{i32, i32, func(a abi.Args) int64 { return -13 }, 0, -13},
		{i32, nil, func(a abi.Args) int64 { return 7 }, 0, 0},
	} {
		p := calling(t, abi.Func{Params: tt.params, Results: tt.results, Do: func(_ abi.Guest, a abi.Args) int64 { return tt.do(a) }})
		p.Want(tt.want, "f", tt.arg)
	}
}

// A host function finds the Call of the Invocation that is running now.
func TestGuestCall(t *testing.T) {
	var got []*host.Call
	p := calling(t, abi.Func{Do: func(g abi.Guest, _ abi.Args) int64 {
		got = append(got, g.Call)
		return 0
	}})
	p.Try("f")
	if len(got) != 1 || got[0] != p.Call {
		t.Errorf("got %p, want %p", got, p.Call)
	}
}

func TestGuestMemory(t *testing.T) {
	const page = 65536
	p := calling(t, abi.Func{Params: slices.Concat(i32, i32, i32), Results: i64, Do: func(g abi.Guest, a abi.Args) int64 {
		ptr, n := a.U32(1), a.U32(2)
		switch a.U32(0) {
		case 0:
			return int64(len(g.Bytes(ptr, n)))
		case 1:
			return int64(len(g.String(ptr, n)))
		case 2:
			return g.Offer([]byte("abc"), ptr, n)
		case 3:
			return g.OfferString("abc", ptr, n)
		case 4:
			g.PutUint32(ptr, 0x04030201)
		case 5:
			g.PutUint64(ptr, 0x0807060504030201)
		}
		return 0
	}})
	for _, tt := range []struct{ what, ptr, n, want int64 }{
		{0, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, page, page}, {0, page - 1, 1, 1}, {0, page, 0, 0},
		{1, page - 5, 5, 5}, {1, -1, 0, 0},
		{2, 100, 3, 3}, {2, 110, 2, 3}, {2, 110, 0, 3}, {2, -1, 0, 3}, {2, 120, 4, 3},
		{3, 130, 3, 3}, {3, 140, 2, 3}, {3, 150, 100, 3},
		{4, 160, 0, 0}, {5, 170, 0, 0}, {4, page - 4, 0, 0}, {5, page - 8, 0, 0},
	} {
		p.Want(tt.want, "f", tt.what, tt.ptr, tt.n)
	}
	for offset, want := range map[uint32]string{100: "abc", 110: "", 120: "abc", 130: "abc", 140: "", 150: "abc",
		160: "\x01\x02\x03\x04", 170: "\x01\x02\x03\x04\x05\x06\x07\x08"} {
		p.WantMemory(offset, want)
	}
	for _, tt := range []struct{ what, ptr, n, length int64 }{
		{0, page, 1, 1}, {0, 0, page + 1, page + 1}, {0, -1, -1, 1<<32 - 1}, {0, 1, -1, 1<<32 - 1}, {1, page - 4, 5, 5},
		{2, page - 2, 3, 3}, {2, page - 3, 4, 4}, {2, page, 1, 1}, {3, page - 2, 3, 3}, {3, -1, 1, 1},
		{4, page - 3, 0, 4}, {4, -4, 0, 4}, {5, page - 7, 0, 8}, {5, -4, 0, 8}, {5, -8, 0, 8},
	} {
		want := abi.Fault{Offset: uint64(uint32(tt.ptr)), Length: uint64(tt.length)}
		if _, err := p.Try("f", tt.what, tt.ptr, tt.n); !errors.Is(err, want) {
			t.Errorf("%+v: got %v, want %v", tt, err, want)
		}
	}
}

// A module without a memory has no bytes to give, which is the guest's fault.
func TestNoMemory(t *testing.T) {
	var m hosttest.Module
	f := m.Import("test", "f", nil, nil)
	m.Func("run", nil, nil, nil, hosttest.Call(f))
	test := module{{Name: "test", Funcs: []abi.Func{{Name: "f", Do: func(g abi.Guest, _ abi.Args) int64 {
		return int64(len(g.Bytes(0, 1)))
	}}}}}
	got := hosttest.Run(t, test, m.Bytes(), host.Request{})
	if !errors.Is(got.Err, abi.Fault{Offset: 0, Length: 1}) {
		t.Errorf("got %v, want a fault", got.Err)
	}
}

// module is an ABI whose entry point is "run".
type module []*abi.Module

func (module) Name() string                             { return "test" }
func (m module) Modules() []*abi.Module                 { return m }
func (module) Match(*abi.Shape) (abi.Plan, bool, error) { return abi.Plan{Entry: "run"}, true, nil }
func (module) Enter(*host.Call)                         {}
func (module) Leave(_ *host.Call, err error) error      { return err }

func TestExit(t *testing.T) {
	p := calling(t, abi.Func{Do: func(abi.Guest, abi.Args) int64 { panic(abi.Exit{Code: 3}) }})
	if _, err := p.Try("f"); !errors.Is(err, abi.Exit{Code: 3}) {
		t.Errorf("got %v, want the exit", err)
	}
	if _, err := p.Try("f"); !errors.Is(err, abi.Exit{Code: 3}) {
		t.Errorf("got %v: an exit leaves the instance as it was", err)
	}
}

func TestFind(t *testing.T) {
	m := &abi.Module{Funcs: []abi.Func{{Name: "a"}, {Name: "b"}}}
	if f, ok := m.Find("b"); !ok || f != &m.Funcs[1] {
		t.Errorf("got %v, %v", f, ok)
	}
	if f, ok := m.Find("c"); ok {
		t.Errorf("got %v, want none", f)
	}
}

func TestRegisterTwice(t *testing.T) {
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	defer r.Close(context.Background())
	m := &abi.Module{Name: "test", Funcs: []abi.Func{{Name: "f", Do: func(abi.Guest, abi.Args) int64 { return 0 }}}}
	if err := abi.Register(t.Context(), r, m); err != nil {
		t.Fatal(err)
	}
	if err := abi.Register(t.Context(), r, m); err == nil || !strings.Contains(err.Error(), "register host module test") {
		t.Errorf("got %v, want an error that names the module", err)
	}
}
