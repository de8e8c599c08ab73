package deploy

import (
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/runtime/gate"
	"github.com/mayfly-run/mayfly/runtime/memory"
)

// shares is what Functions and accounts have of the node, whichever Version
// serves.
type shares struct {
	memory             *memory.Budget // nil: no bound
	accountMemory      int64
	accountConcurrency int

	mu        sync.Mutex // guards the maps
	functions map[functionID]*gate.Gate
	accounts  map[string]*accountShare
}

// accountShare is an account's.
type accountShare struct {
	memory *memory.Budget
	gate   *gate.Gate
}

func newShares(cfg Config) *shares {
	s := &shares{accountMemory: cfg.AccountMemory, accountConcurrency: cfg.AccountConcurrency,
		functions: map[functionID]*gate.Gate{}, accounts: map[string]*accountShare{}}
	if cfg.Memory > 0 {
		s.memory = memory.NewBudget(cfg.Memory, nil)
	}
	return s
}

func (s *shares) account(name string) *accountShare {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[name]
	if a == nil {
		a = &accountShare{memory: s.memory, gate: gate.New(s.accountConcurrency)}
		if s.accountMemory > 0 {
			a.memory = memory.NewBudget(s.accountMemory, s.memory)
		}
		s.accounts[name] = a
	}
	return a
}

// function is the Gate of a Function.
func (s *shares) function(id functionID, most int) *gate.Gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.functions[id]
	if g == nil {
		g = gate.New(most)
		s.functions[id] = g
	}
	return g
}

// Enter lets an Invocation begin, perhaps after a short wait. One that may is
// ended by Leave. The error is gate.ErrFull.
func (a *Active) Enter(ctx context.Context) error {
	if err := a.gate.Enter(ctx); err != nil {
		return err
	}
	if err := a.share.gate.Enter(ctx); err != nil {
		a.gate.Leave()
		return err
	}
	return nil
}

// Leave ends what Enter began.
func (a *Active) Leave() {
	a.share.gate.Leave()
	a.gate.Leave()
}
