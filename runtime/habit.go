package runtime

import (
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
)

const (
	// longUnits is from what on an Invocation counts as long: about ten milliseconds.
	longUnits = 100 * quantum
	// A long Invocation adds longStep, up to longMost, and every other one takes
	// one away; from longFrom on the next one is expected to be long as well.
	longStep, longFrom, longMost = 2, 4, 8
)

// habit remembers whether a Snapshot's guests used to run for long, or to fail.
// Those that did wait for their turn before they begin, not after their first
// quantum: many that begin at once do not delay others by a quantum for each.
type habit struct{ score atomic.Int32 }

func (h *habit) long() bool { return h.score.Load() >= longFrom }

// note counts an Invocation that has run. Two that end at the same moment may count
// as one.
func (h *habit) note(c *host.Call, outcome host.Outcome) {
	score := h.score.Load()
	switch {
	case long(&c.Usage, outcome):
		h.score.Store(min(longMost, score+longStep))
	case score > 0:
		h.score.Store(score - 1)
	}
}

// long also holds for guests that failed: unwinding the stack, telling why and
// making another Instance takes longer than most requests. Who used up its time
// while others had their turn would have run for long.
func long(u *host.Usage, outcome host.Outcome) bool {
	switch outcome {
	case host.OutcomeExceededCPU, host.OutcomeExceededMemory, host.OutcomeException:
		return true
	case host.OutcomeExceededWallTime:
		return u.Units >= shortUnits
	}
	return u.Units >= longUnits
}
