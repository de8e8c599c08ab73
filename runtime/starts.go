package runtime

import (
	goruntime "runtime"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/gate"
)

// starts lets so many guests begin at the same time as keep the processors busy,
// until they wait for something or outlive their first quantum. Others queue up,
// and the account that has used least comes first. So an account with very many
// short requests delays those of others by a few of its own, not by all of them.
type starts struct{ gate *gate.Gate }

// startsPerProcessor leaves something to do while a guest waits for memory.
const startsPerProcessor = 2

func newStarts() *starts {
	return &starts{gate.New(startsPerProcessor * goruntime.GOMAXPROCS(0))}
}

// begin lets the Call's guest begin. It reports whether the Invocation was over
// before that.
func (s *starts) begin(c *host.Call) bool {
	if s.gate.TryEnter() {
		c.Turn = s
		return true
	}
	turn := s.gate.Ask(c.Bindings.Account)
	began := time.Now()
	c.Pause()
	defer c.Resume()
	defer func() { c.TurnWait += time.Since(began) }()
	select {
	case <-turn:
	case <-c.Done():
		if s.gate.GiveUp(c.Bindings.Account, turn) {
			return false
		}
	}
	c.Turn = s
	return true
}

// EndTurn implements host.Turn.
func (s *starts) EndTurn(c *host.Call) { s.gate.LeaveAfter(c.Bindings.Account, c.Usage.CPU) }
