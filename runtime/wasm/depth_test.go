package wasm_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
	"github.com/tetratelabs/wazero/api"
)

// depthOf calls run(n) with more and more n, and returns the largest that works.
func depthOf(t *testing.T, module []byte) int {
	t.Helper()
	h := newHost(t)
	h.tick = func(int64) int64 { return 1 << 20 }
	m := h.start(mustRewrite(t, mustParse(t, module), meterOnly).Code)
	room := m.ExportedGlobal(wasm.RoomExport).(api.MutableGlobal)
	works := func(n int) bool {
		room.Set(wasm.CallStack)
		_, err := m.ExportedFunction("run").Call(context.Background(), uint64(n))
		if err != nil && !errors.Is(err, errExhausted) {
			t.Fatal(err)
		}
		if left := room.Get(); err == nil && left != wasm.CallStack {
			t.Fatalf("%d bytes of %d were given back", left, wasm.CallStack)
		}
		return err == nil
	}
	low, high := 0, 1<<20
	for low+1 < high {
		if n := (low + high) / 2; works(n) {
			low = n
		} else {
			high = n
		}
	}
	return low
}

// down is run(n): if n is 0 return 0; code; then run(n - 1) + 1.
func down(locals, code string) []byte {
	return program(i32ToI32, locals, "\x20\x00\x45\x04\x40\x41\x00\x0f\x0b"+code+"\x20\x00\x41\x01\x6b\x10\x00\x41\x01\x6a")
}

// TestDepth pins how deep calls may be nested: it must be the same on every
// machine.
func TestDepth(t *testing.T) {
	tests := []struct {
		name   string
		module []byte
		want   int
	}{
		{"small frames", down(noLocals, ""), 49931},
		{"a loop", down("\x01\x01\x7f", "\x41\x0a\x21\x01\x03\x40\x20\x01\x41\x01\x6b\x22\x01\x0d\x00\x0b"), 41942},
		{"through a block", down(noLocals, "\x02\x40\x20\x00\x0d\x00\x0b"), 49931},
		{"20 operands", program(i32ToI32, noLocals, "\x20\x00\x45\x04\x40\x41\x00\x0f\x0b"+strings.Repeat("\x41\x00\x28\x02\x00", 20)+"\x20\x00\x41\x01\x6b\x10\x00"+strings.Repeat("\x6a", 20)), 10809},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := depthOf(t, tt.module); got != tt.want {
				t.Errorf("got %d calls, want %d", got, tt.want)
			}
		})
	}
}

// TestFrames: what has to be kept across calls counts, 8 bytes for each value, and
// what need not does not. Each value that lives at the same time as others costs 16
// beside that, for a register that has to be saved, and a call 8 for each value that
// it passes.
func TestFrames(t *testing.T) {
	const call, keep = "\x41\x00\x10\x00", "\x41\x00\x28\x02\x00" // a call; a value
	use := func(local string) string { return "\x20" + local + "\x1a" }
	tests := []struct {
		name, locals, code string
		want               uint32 // bytes
	}{
		{"nothing", noLocals, "", 152},
		{"read before the call", "\x01\x01\x7f", keep + "\x21\x01" + use("\x01") + call + "\x1a", 184},
		{"read behind it", "\x01\x01\x7f", keep + "\x21\x01" + call + "\x1a" + use("\x01"), 192},
		{"set anew", "\x01\x01\x7f", strings.Repeat(keep+"\x21\x01"+call+"\x1a"+use("\x01"), 5), 224},
		{"set anew before it is read", "\x01\x01\x7f", strings.Repeat(keep+"\x21\x01"+call+"\x1a", 5), 168},
		{"an operand", noLocals, keep + call + "\x1a\x1a", 192},
		{"operands in turn", noLocals, strings.Repeat(keep+call+"\x1a\x1a", 5), 224},
		{"set in one arm", "\x01\x01\x7f", "\x20\x00\x04\x40" + keep + "\x21\x01\x05" + call + "\x1a\x0b" + use("\x01"), 200},
		{"set before, read in one arm", "\x01\x01\x7f", keep + "\x21\x01\x20\x00\x04\x40" + call + "\x1a" + use("\x01") + "\x05\x41\x00\x21\x01\x0b", 200},
		{"lives in a loop", "\x01\x01\x7f", keep + "\x21\x01\x03\x40" + use("\x01") + call + "\x0d\x00\x0b", 208},
		{"after a branch back", "\x01\x01\x7f", "\x03\x40" + use("\x01") + keep + "\x21\x01" + call + "\x0d\x00\x0b", 224},
		{"global between calls", noLocals, call + "\x1a\x23\x00\x1a" + call + "\x1a", 184},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.locals + tt.code + "\x20\x00\x0b"
			m := mustParse(t, []byte(header+section(1, vec(i32ToI32))+section(3, vec("\x00"))+section(5, vec("\x00\x01"))+
				section(6, vec("\x7f\x01\x41\x00\x0b"))+section(10, vec(leb(len(body))+body))))
			if got := m.Frames()[0]; got != tt.want {
				t.Errorf("got %d bytes, want %d", got, tt.want)
			}
		})
	}
}
