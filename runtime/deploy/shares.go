package deploy

import (
	"context"
	"sync"
	"sync/atomic"

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
	functions map[functionID]*places
	accounts  map[string]*accountShare
}

// places bound how many Invocations of a Function or of an account run at the same
// time, and how many of them may wait for what their clients still have to send.
type places struct{ all, slow *gate.Gate }

func newPlaces(most int) *places { return &places{gate.New(most), gate.New(slowShare(most))} }

// slowShare is half of all, so that clients that send slowly leave some to others.
func slowShare(most int) int { return (most + 1) / 2 }

func (p *places) setMost(most int) {
	p.all.SetMost(most)
	p.slow.SetMost(slowShare(most))
}

// accountShare is an account's.
type accountShare struct {
	memory *memory.Budget
	places *places
}

func newShares(cfg Config) *shares {
	s := &shares{accountMemory: cfg.AccountMemory, accountConcurrency: cfg.AccountConcurrency,
		functions: map[functionID]*places{}, accounts: map[string]*accountShare{}}
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
		a = &accountShare{memory: s.memory, places: newPlaces(s.accountConcurrency)}
		if s.accountMemory > 0 {
			a.memory = memory.NewBudget(s.accountMemory, s.memory)
		}
		s.accounts[name] = a
	}
	return a
}

// forget drops what an account that is gone had.
func (s *shares) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, name)
}

// function are the places of a Function.
func (s *shares) function(id functionID, most int) *places {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.functions[id]
	if p == nil {
		p = newPlaces(most)
		s.functions[id] = p
	}
	return p
}

// Enter lets an Invocation begin, perhaps after a short wait. One that may is
// ended by Leave. The error is gate.ErrFull.
func (a *Active) Enter(ctx context.Context) error {
	return enter(ctx, a.places.all, a.share.places.all)
}

// Leave ends what Enter began.
func (a *Active) Leave() {
	a.share.places.all.Leave()
	a.places.all.Leave()
}

// EnterCalled is Enter for an Invocation that another one waits for, or began. It
// takes no place of the account: who has one could not give it back while it waits,
// and if all of them waited for callees, none of these would ever get one. How many
// there are is bounded by host.MaxCalls. Leave of the Called ends it.
func (a *Active) EnterCalled(ctx context.Context) (*Called, error) {
	if err := a.places.all.Enter(ctx); err != nil {
		return nil, err
	}
	return &Called{active: a}, nil
}

// Called is the place of an Invocation that was called. It is safe for concurrent use.
type Called struct {
	active  *Active
	counted atomic.Bool
}

// GoesOn counts the Invocation for the account, since nobody waits for it any more: its
// caller, whose place was enough for both, may end before it.
func (c *Called) GoesOn() {
	if c.counted.CompareAndSwap(false, true) {
		c.active.share.places.all.Add()
	}
}

// Leave ends what EnterCalled began. Nothing else is called afterwards.
func (c *Called) Leave() {
	if c.counted.Load() {
		c.active.share.places.all.Leave()
	}
	c.active.places.all.Leave()
}

// EnterSlow comes before Enter where the client has not sent its request's body yet,
// and would keep the guest waiting. Arrived ends it.
func (a *Active) EnterSlow(ctx context.Context) error {
	return enter(ctx, a.places.slow, a.share.places.slow)
}

// Arrived ends what EnterSlow began.
func (a *Active) Arrived() {
	a.share.places.slow.Leave()
	a.places.slow.Leave()
}

func enter(ctx context.Context, function, account *gate.Gate) error {
	if err := function.Enter(ctx); err != nil {
		return err
	}
	if err := account.Enter(ctx); err != nil {
		function.Leave()
		return err
	}
	return nil
}
