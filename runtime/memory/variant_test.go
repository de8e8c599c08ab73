package memory_test

import (
	"bytes"
	"math/rand/v2"
	goruntime "runtime"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/memory"
)

// sparse is a memory of which much is zeros.
func sparse() []byte {
	b := make([]byte, 2<<20)
	copy(b[64<<10:], pattern(200<<10))
	copy(b[1<<20:], pattern(300<<10))
	return b
}

// change sets bytes anywhere before an offset.
func change(b []byte, before, times int) []byte {
	rng := rand.New(rand.NewPCG(3, 4))
	for range times {
		b[rng.IntN(before)] = byte(rng.Uint32())
	}
	return b
}

// variants are memories, by what they have beside a base.
var variants = []struct {
	name     string
	contents func() []byte
	most     int64 // bytes that the Image may take
}{
	{"nothing", sparse, 0},
	{"a few words", func() []byte { return change(sparse(), 1300<<10, 1000) }, 8 << 10},
	{"pages that are zeros in the base", func() []byte { return change(sparse(), 60<<10, 500) }, 8 << 10},
	{"zeros where the base has something", func() []byte { b := sparse(); clear(b[1<<20 : 1<<20+8192]); return b }, 16 << 10},
	{"a larger memory", func() []byte { return append(sparse(), make([]byte, 128<<10)...) }, 0},
	{"a larger memory with words", func() []byte {
		b := append(change(sparse(), 1300<<10, 500), make([]byte, 128<<10)...)
		copy(b[len(b)-100:], "the end of it")
		return b
	}, 8 << 10},
	{"many pages behind the base's", func() []byte {
		b := append(change(sparse(), 1<<20, 300), make([]byte, 1<<20)...)
		copy(b[1500<<10:], pattern(600<<10))
		return b
	}, 700 << 10},
	{"another memory", func() []byte { return change(make([]byte, 2<<20), 2<<20, 100_000) }, 2 << 20},
	{"a smaller memory", func() []byte { return pattern(1 << 20) }, 1 << 20},
}

// A Variant is to Regions what its contents are, however little it keeps.
func TestVariant(t *testing.T) {
	base := mustImage(t, sparse())
	for _, test := range variants {
		t.Run(test.name, func(t *testing.T) {
			want := test.contents()
			i, err := memory.NewVariant(base, test.contents())
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if got, err := i.Contents(); err != nil || !bytes.Equal(got, want) || i.Size() != len(want) {
				t.Fatalf("other contents, of %d bytes, %v; want %d bytes", i.Size(), err, len(want))
			}
			if goruntime.GOOS == "linux" && i.Resident() > test.most {
				t.Errorf("it takes %d bytes, want at most %d", i.Resident(), test.most)
			}
			scribble(t, mustRegion(t, i, 8<<20), want)
		})
	}
}

// scribble wants the contents back after each round of writes.
func scribble(t *testing.T, r *memory.Region, want []byte) {
	t.Helper()
	mem := r.Reallocate(0)
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 12 {
		if !bytes.Equal(mem, want) {
			t.Fatalf("round %d begins with other bytes", round)
		}
		for range rng.IntN(200) {
			mem[rng.IntN(len(mem))] = byte(rng.Uint32())
		}
		if round%5 == 4 { // more than what is copied back
			for n := range mem {
				mem[n] ^= 0xff
			}
		}
		r.Reset()
	}
}

// Regions of Variants do not see each other, nor change the base.
func TestVariantsAreApart(t *testing.T) {
	base := mustImage(t, sparse())
	var regions []*memory.Region
	for n := range 3 {
		i, err := memory.NewVariant(base, change(sparse(), 2<<20, 10*n))
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		regions = append(regions, mustRegion(t, i, 4<<20))
	}
	clear(regions[0].Reallocate(0))
	for n, r := range regions[1:] {
		if !bytes.Equal(r.Reallocate(0), change(sparse(), 2<<20, 10*(n+1))) {
			t.Errorf("a write to a Region shows in that of Variant %d", n+1)
		}
	}
	if got, err := base.Contents(); err != nil || !bytes.Equal(got, sparse()) {
		t.Error("a write to a Region shows in the base")
	}
}

// BenchmarkVariant makes, uses and frees a Region, and puts it back.
func BenchmarkVariant(b *testing.B) {
	base := mustImage(b, sparse())
	i, err := memory.NewVariant(base, change(sparse(), 2<<20, 50))
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close()
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			r, err := memory.NewRegion(i, 128<<20)
			if err != nil {
				b.Fatal(err)
			}
			r.Unmap()
		}
	})
	b.Run("reset", func(b *testing.B) {
		r := mustRegion(b, i, 128<<20)
		mem := r.Reallocate(0)
		for b.Loop() {
			for p := range 70 {
				mem[p*20_000]++
			}
			r.Reset()
		}
	})
}
