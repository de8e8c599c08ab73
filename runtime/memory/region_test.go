package memory_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/tetratelabs/wazero/api"
)

func mustImage(t testing.TB, contents []byte) *memory.Image {
	t.Helper()
	i, err := memory.NewImage(contents)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

func mustRegion(t testing.TB, i *memory.Image, limit int64) *memory.Region {
	t.Helper()
	r, err := memory.NewRegion(i, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Unmap() })
	return r
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 3 {
		b[i] = byte(i>>8) | 1
	}
	return b
}

// However a guest scribbles, Reset brings the image back, to the byte.
func TestReset(t *testing.T) {
	for _, size := range []int{0, 4096, 64 << 10, 128 << 10, 192 << 10, 3 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			contents := pattern(size)
			r := mustRegion(t, mustImage(t, contents), 8<<20)
			mem := r.Reallocate(uint64(size))
			rng := rand.New(rand.NewPCG(1, 2))
			for round := range 20 {
				if !bytes.Equal(mem, contents) {
					t.Fatalf("round %d begins with other bytes than the image's", round)
				}
				for range rng.IntN(200) {
					if size > 0 {
						mem[rng.IntN(size)] = byte(rng.Uint32())
					}
				}
				if round == 10 {
					clear(mem)
				}
				r.Reset()
			}
		})
	}
}

// Two regions of one image do not see each other's writes.
func TestRegionsAreApart(t *testing.T) {
	i := mustImage(t, pattern(256<<10))
	a, b := mustRegion(t, i, 1<<20), mustRegion(t, i, 1<<20)
	ma, mb := a.Reallocate(256<<10), b.Reallocate(256<<10)
	clear(ma)
	if !bytes.Equal(mb, pattern(256<<10)) {
		t.Error("a write to one region shows in another")
	}
	if got, err := i.Contents(); err != nil || !bytes.Equal(got, pattern(256<<10)) {
		t.Error("a write to a region shows in the image")
	}
}

func TestGrow(t *testing.T) {
	r := mustRegion(t, mustImage(t, pattern(64<<10)), 256<<10)
	if n := len(r.Reallocate(0)); n != 64<<10 {
		t.Fatalf("the guest begins with %d bytes, want the image's", n)
	}
	if r.Grown() {
		t.Error("grown before it grew")
	}
	mem := r.Reallocate(256 << 10)
	if len(mem) != 256<<10 || !r.Grown() || !bytes.Equal(mem[64<<10:], make([]byte, 192<<10)) {
		t.Error("what was added is not there or not zero")
	}
	if r.Reallocate(256<<10+1) != nil || !r.Refused {
		t.Error("grown beyond the limit")
	}
}

// engine is a memory as an engine sees it: what it is given when it grows.
type engine struct {
	api.Memory
	region *memory.Region
	mem    []byte
	max    int
}

func (e *engine) Grow(pages uint32) (uint32, bool) {
	before := uint32(len(e.mem) >> 16)
	if len(e.mem)+int(pages)<<16 > e.max {
		return 0, false
	}
	mem := e.region.Reallocate(uint64(len(e.mem)) + uint64(pages)<<16)
	if mem == nil {
		return 0, false
	}
	e.mem = mem
	return before, true
}

// What a guest added goes, and comes back as zeros, except at the module's own
// maximum.
func TestShrink(t *testing.T) {
	contents := pattern(128 << 10)
	r := mustRegion(t, mustImage(t, contents), 512<<10)
	e := &engine{region: r, mem: r.Reallocate(0), max: 320 << 10}
	for range 3 {
		if _, ok := e.Grow(2); !ok {
			t.Fatal("can't grow")
		}
		for i := range e.mem {
			e.mem[i] = 0xff
		}
		if !r.Shrink(e) || r.Grown() || len(e.mem) != 128<<10 {
			t.Fatalf("not shrunk: %d bytes", len(e.mem))
		}
		r.Reset()
		if !bytes.Equal(e.mem, contents) {
			t.Fatal("the image is not back")
		}
		if _, ok := e.Grow(1); !ok || !bytes.Equal(e.mem[128<<10:], make([]byte, 64<<10)) {
			t.Fatal("growing again does not find zeros")
		}
		if !r.Shrink(e) {
			t.Fatal("not shrunk")
		}
	}
	e.Grow(3) // to the maximum
	if r.Shrink(e) {
		t.Error("shrunk from where the memory can't grow")
	}
	if len(e.mem) != 320<<10 || !r.Grown() {
		t.Error("a memory that was not shrunk has changed")
	}
}

// That one request was refused memory says nothing about the next.
func TestRefusalIsForgotten(t *testing.T) {
	r := mustRegion(t, mustImage(t, pattern(64<<10)), 128<<10)
	r.Reallocate(0)
	if r.Reallocate(1<<20) != nil || !r.Refused {
		t.Fatal("it was not refused")
	}
	if r.Reset(); r.Refused {
		t.Error("still refused after Reset")
	}
}

func BenchmarkReset(b *testing.B) {
	for _, size := range []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 3 << 20} {
		for _, dirty := range []int{1, 8, 46} {
			b.Run(fmt.Sprintf("image=%dK/dirty=%d", size>>10, dirty), func(b *testing.B) {
				r := mustRegion(b, mustImage(b, pattern(size)), int64(size))
				mem := r.Reallocate(uint64(size))
				for b.Loop() {
					for p := range dirty {
						mem[p*(size/dirty)&^4095]++
					}
					r.Reset()
				}
			})
		}
	}
}
