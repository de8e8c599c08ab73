package runtime

import (
	goruntime "runtime"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

const (
	// freeUnits is how much a guest may run before it has to take turns: about a
	// millisecond, which most requests never need.
	freeUnits = 10 * quantum
	// slice is how long a guest runs while others wait for their turn.
	slice = 2 * time.Millisecond
)

// turns lets long-running guests run one after the other and leaves one
// processor to everything else: to the network, to short requests and to the
// garbage collector. Who waited longest comes first.
type turns struct{ taken chan struct{} }

func newTurns() *turns {
	return &turns{make(chan struct{}, max(1, goruntime.GOMAXPROCS(0)-1))}
}

// take gives the Call a turn or lets it keep the one it has. It waits if it must,
// at most until the Invocation is over.
func (t *turns) take(c *host.Call) {
	if c.Turn != nil {
		if time.Since(c.TurnSince) < slice {
			return
		}
		c.EndTurn()
	}
	select {
	case t.taken <- struct{}{}:
		c.Turn, c.TurnSince = t, time.Now()
	default:
		t.wait(c)
	}
}

func (t *turns) wait(c *host.Call) {
	began := time.Now()
	c.Pause()
	defer c.Resume()
	select {
	case t.taken <- struct{}{}:
		c.Turn, c.TurnSince = t, time.Now()
	case <-c.Done():
	}
	c.TurnWait += time.Since(began)
}

// EndTurn implements host.Turn.
func (t *turns) EndTurn() { <-t.taken }
