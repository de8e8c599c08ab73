package runtime

import (
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

const (
	// slice is how long a guest runs while others wait for their turn.
	slice = 2 * time.Millisecond
	// unfair is by how much an account may be ahead of another that waits.
	unfair = slice / 4
	// shortUnits is up to what a guest needs no turn while no other one runs for
	// longer, and goes before those of its account that do: about a millisecond,
	// within which most requests end.
	shortUnits = 10 * quantum
	// shortStreak is how often in a row that happens while others wait as well.
	shortStreak = 8
)

// turns lets guests run one after the other as soon as one of them is beyond
// shortUnits: that one, and all others that outlive their first quantum. It leaves
// one processor to everything else: to the network, to short requests and to the
// garbage collector. The account that has run least comes first, however
// many guests another one has. Within an account, who has hardly run yet comes
// first; among equals who waited longest.
type turns struct {
	waiting atomic.Int32
	long    atomic.Int32 // guests beyond shortUnits that have a turn or wait for one

	mu       sync.Mutex // guards what follows
	free     int
	over     []waiter            // whose Invocation is over; they come first, one after the other
	accounts map[string]*account // that run or wait
	now      time.Duration       // what the account had used that was last given a turn
}

// account is the guests of one account. turns.mu guards it.
type account struct {
	used    time.Duration // of all turns, and what it did not use while it had no guests
	running int
	queues  [2][]waiter // those that hardly ran, and the others
	streak  int         // of turns to the first while others waited
}

// A waiter is closed when its turn has come.
type waiter chan struct{}

func newTurns() *turns {
	return &turns{free: max(1, goruntime.GOMAXPROCS(0)-1), accounts: map[string]*account{}}
}

// take gives the Call a turn or lets it keep the one it has. It waits if it must,
// and reports whether it did: the Invocation may be over then.
func (t *turns) take(c *host.Call) (waited bool) {
	switch {
	case c.Turn != t:
		if level(c) == 0 && t.long.Load() == 0 {
			return false // all are short: processors are free again soon enough
		}
	case level(c) > 0 && !c.TurnLong: // it was short when it got its turn
	case t.waiting.Load() == 0 || !t.due(c):
		return false
	}
	c.EndTurn()
	w := t.ask(c)
	if w != nil {
		t.wait(c, w)
	}
	t.begin(c)
	return w != nil
}

// begin notes that the Call has its turn.
func (t *turns) begin(c *host.Call) {
	c.Turn, c.TurnSince, c.TurnCPU, c.TurnLong = t, time.Now(), c.Usage.CPU, level(c) > 0
}

func level(c *host.Call) int {
	if c.Long || c.Usage.Units >= shortUnits {
		return 1
	}
	return 0
}

// due says whether the Call has to let others run.
func (t *turns) due(c *host.Call) bool {
	ran := time.Since(c.TurnSince)
	if ran >= slice {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.over) > 0 {
		return true
	}
	mine := t.accounts[c.Bindings.Account]
	if next := t.next(); next != mine {
		return next != nil && next.used+unfair < mine.used+ran
	}
	return level(c) > 0 && mine.level() == 0
}

// next is the account whose turn it is; nil if nobody waits.
func (t *turns) next() (next *account) {
	for _, a := range t.accounts {
		if len(a.queues[0])+len(a.queues[1]) > 0 && (next == nil || a.used < next.used) {
			next = a
		}
	}
	return next
}

// level is the queue whose turn it is.
func (a *account) level() int {
	if len(a.queues[0]) == 0 || a.streak >= shortStreak && len(a.queues[1]) > 0 {
		return 1
	}
	return 0
}

// ask takes a turn that is free, or queues up.
func (t *turns) ask(c *host.Call) waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, own := t.account(c.Bindings.Account), level(c)
	t.long.Add(int32(own))
	if t.free > 0 {
		t.free--
		a.running++
		return nil
	}
	w := make(waiter)
	a.queues[own] = append(a.queues[own], w)
	t.waiting.Add(1)
	return w
}

// account finds an account. One that had nothing to run has not saved up for it.
func (t *turns) account(name string) *account {
	a := t.accounts[name]
	if a == nil {
		a = &account{used: t.now}
		t.accounts[name] = a
	}
	return a
}

func (t *turns) wait(c *host.Call, w waiter) {
	began := time.Now()
	c.Pause()
	defer c.Resume()
	select {
	case <-w:
	case <-c.Done():
		t.hurry(c, w)
		<-w
	}
	c.TurnWait += time.Since(began)
}

// hurry has a waiter come first whose Invocation is over, unless its turn has come
// already. Many that are over at the same moment do not end at the same moment:
// that would take all processors.
func (t *turns) hurry(c *host.Call, w waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accounts[c.Bindings.Account]
	for level, q := range a.queues {
		if i := slices.Index(q, w); i >= 0 {
			a.queues[level] = slices.Delete(q, i, i+1)
			t.over = append(t.over, w)
			a.running++
			return
		}
	}
}

// EndTurn implements host.Turn: it passes the turn on.
func (t *turns) EndTurn(c *host.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accounts[c.Bindings.Account]
	a.used += c.Usage.CPU - c.TurnCPU
	a.running--
	if c.TurnLong {
		t.long.Add(-1)
	}
	if len(t.over) > 0 {
		close(t.over[0])
		t.over = slices.Delete(t.over, 0, 1)
		t.waiting.Add(-1)
	} else if next := t.next(); next != nil {
		t.now = max(t.now, next.used)
		next.running++
		close(next.take())
		t.waiting.Add(-1)
	} else {
		t.free++
	}
	t.forget(c.Bindings.Account, a)
}

// take takes the waiter whose turn it is.
func (a *account) take() waiter {
	level := a.level()
	if a.streak++; level > 0 {
		a.streak = 0
	}
	w := a.queues[level][0]
	a.queues[level] = slices.Delete(a.queues[level], 0, 1)
	return w
}

// forget drops an account that has no guests here any more.
func (t *turns) forget(name string, a *account) {
	if a.running == 0 && len(a.queues[0])+len(a.queues[1]) == 0 {
		t.now = max(t.now, a.used)
		delete(t.accounts, name)
	}
}
