package memory_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/memory"
)

// A guest that wrote everywhere leaves the image behind, and neither work nor
// memory beyond a bound.
func TestManyPagesAreGivenBack(t *testing.T) {
	contents := pattern(8 << 20)
	r := mustRegion(t, mustImage(t, contents), 8<<20)
	mem := r.Reallocate(8 << 20)
	for range 2 {
		clear(mem)
		copied := r.Reset()
		if !bytes.Equal(mem, contents) {
			t.Fatal("the image is not back")
		}
		if copied != memory.KeepMax || r.Resident() != int64(copied) {
			t.Errorf("copied %d bytes, %d resident", copied, r.Resident())
		}
	}
	for at := 0; at < len(mem); at += 2 * 4096 { // runs of one page
		mem[at]++
	}
	if r.Reset(); !bytes.Equal(mem, contents) {
		t.Fatal("the image is not back")
	}
}

// Without memory files each Region has a copy.
func TestCopiedImage(t *testing.T) {
	contents := pattern(192 << 10)
	i := memory.CopiedImage(contents)
	a, b := mustRegion(t, i, 1<<20), mustRegion(t, i, 1<<20)
	ma, mb := a.Reallocate(192<<10), b.Reallocate(192<<10)
	clear(ma)
	if got, err := i.Contents(); err != nil || !bytes.Equal(mb, contents) || !bytes.Equal(got, contents) {
		t.Error("a write to one region shows elsewhere")
	}
	if a.Reset(); !bytes.Equal(ma, contents) {
		t.Error("the image is not back")
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

// What others write at the same time, and how many pages, does not hide what a guest
// wrote.
func TestResetConcurrently(t *testing.T) {
	contents := pattern(1 << 20)
	i := mustImage(t, contents)
	var all sync.WaitGroup
	for n := range 8 {
		r := mustRegion(t, i, 2<<20)
		all.Go(func() {
			mem := r.Reallocate(0)
			rng := rand.New(rand.NewPCG(uint64(n), 2))
			for round := range 100 {
				for range rng.IntN(3) { // often pages that were written before, or none
					mem[rng.IntN(1+round/20)*100_000+rng.IntN(4096)]++
				}
				if r.Reset(); !bytes.Equal(mem, contents) {
					t.Errorf("round %d leaves other bytes than the image's", round)
					return
				}
			}
		})
	}
	all.Wait()
}
