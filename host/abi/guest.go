package abi

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/mayfly-run/mayfly/host"
	"github.com/tetratelabs/wazero/api"
)

// Guest is the guest that is calling: its Call and its memory.
//
// The views that Bytes and String return are the guest's memory itself. They
// hold until the host function returns; what is kept longer is copied.
type Guest struct {
	*host.Call
	mem api.Memory // nil if the module has none
}

// guestOf finds the guest that is calling. The engine has a nil pointer of its
// own type in the interface where a module has no memory.
func guestOf(ctx context.Context, m api.Module) Guest {
	mem := m.Memory()
	if mem != nil && reflect.ValueOf(mem).IsNil() {
		mem = nil
	}
	return Guest{host.CallFrom(ctx), mem}
}

// Fault ends a guest that passed a range outside its memory, as a load of its
// own from there would.
type Fault struct{ Offset, Length uint64 }

func (f Fault) Error() string {
	return fmt.Sprintf("out of bounds memory access: a host function was given %d bytes at %d", f.Length, f.Offset)
}

// Exit ends a guest at its own wish.
type Exit struct{ Code uint32 }

func (e Exit) Error() string { return fmt.Sprintf("guest exited with code %d", e.Code) }

// byteShift: 8 bytes that the host copies cost one unit, as when a guest does.
const byteShift = 3

// Bytes is the guest's memory from ptr on for n bytes.
func (g Guest) Bytes(ptr, n uint32) []byte {
	if n == 0 {
		return nil
	}
	g.Work(int64(n) >> byteShift)
	if g.mem != nil {
		if b, ok := g.mem.Read(ptr, n); ok {
			return b
		}
	}
	panic(Fault{uint64(ptr), uint64(n)})
}

// String copies text out of the guest's memory.
func (g Guest) String(ptr, n uint32) string { return string(g.Bytes(ptr, n)) }

// Offer hands b to a guest that gave a buffer: it returns the length of b, and
// writes b only if the buffer holds all of it.
func (g Guest) Offer(b []byte, ptr, size uint32) int64 {
	if buf := g.Bytes(ptr, size); len(b) <= len(buf) {
		copy(buf, b)
	}
	return int64(len(b))
}

// OfferString is Offer for a string.
func (g Guest) OfferString(s string, ptr, size uint32) int64 {
	if buf := g.Bytes(ptr, size); len(s) <= len(buf) {
		copy(buf, s)
	}
	return int64(len(s))
}

// PutUint32 writes v in little-endian order.
func (g Guest) PutUint32(ptr, v uint32) {
	binary.LittleEndian.PutUint32(g.Bytes(ptr, 4), v)
}

// PutUint64 writes v in little-endian order.
func (g Guest) PutUint64(ptr uint32, v uint64) {
	binary.LittleEndian.PutUint64(g.Bytes(ptr, 8), v)
}
