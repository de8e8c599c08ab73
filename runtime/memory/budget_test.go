package memory_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/memory"
)

func TestBudget(t *testing.T) {
	whole := memory.NewBudget(100, nil)
	a, b := memory.NewBudget(60, whole), memory.NewBudget(60, whole)
	for _, step := range []struct {
		from *memory.Budget
		n    int64
		want bool
	}{
		{a, 60, true}, {a, 1, false}, {b, 41, false}, {b, 40, true}, {b, 0, true}, {whole, 1, false}, {nil, 1 << 40, true},
	} {
		if got := step.from.Take(step.n); got != step.want {
			t.Errorf("take %d: %v, want %v", step.n, got, step.want)
		}
	}
	if whole.Used() != 100 || a.Used() != 60 || b.Used() != 40 {
		t.Errorf("used: %d, %d, %d", whole.Used(), a.Used(), b.Used())
	}
	a.Give(60)
	if !b.Take(20) || whole.Used() != 60 {
		t.Errorf("used: %d", whole.Used())
	}
}

// Whatever many take and give at the same time, the sums are right in the end and
// never more is taken than there is.
func TestBudgetConcurrently(t *testing.T) {
	whole := memory.NewBudget(1000, nil)
	var all sync.WaitGroup
	for range 8 {
		part := memory.NewBudget(300, whole)
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, 2))
			var taken int64
			for range 5000 {
				if n := rng.Int64N(100); part.Take(n) {
					taken += n
				}
				if taken > 300 {
					t.Errorf("%d taken", taken)
				}
				if rng.IntN(2) == 0 {
					part.Give(taken)
					taken = 0
				}
			}
			part.Give(taken)
			if part.Used() != 0 {
				t.Errorf("%d left", part.Used())
			}
		})
	}
	all.Wait()
	if whole.Used() != 0 {
		t.Errorf("%d left", whole.Used())
	}
}
