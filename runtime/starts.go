package runtime

import (
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// starts lets so many guests begin at the same time as keep the processors busy,
// until they wait for something or outlive their first quantum. Others queue up,
// and the account that has used least comes first. So an account with very many
// short requests delays those of others by a few of its own, not by all of them.
// As long as nobody has to wait, it costs two additions for each request.
type starts struct {
	most    int32
	running atomic.Int32
	waiting atomic.Int32

	mu       sync.Mutex // guards what follows
	accounts map[string]*starter
	now      time.Duration // what the account had used that was let in last
}

// starter is an account with requests that wait. starts.mu guards it.
type starter struct {
	used  time.Duration
	queue []waiter
}

// startsPerProcessor leaves something to do while a guest waits for memory.
const startsPerProcessor = 2

func newStarts() *starts {
	return &starts{most: int32(startsPerProcessor * goruntime.GOMAXPROCS(0)), accounts: map[string]*starter{}}
}

// begin lets the Call's guest begin. It reports whether the Invocation was over
// before that.
func (s *starts) begin(c *host.Call) bool {
	if s.waiting.Load() == 0 && s.enter() {
		c.Turn = s
		return true
	}
	w := s.queue(c.Bindings.Account)
	began := time.Now()
	c.Pause()
	defer c.Resume()
	defer func() { c.TurnWait += time.Since(began) }()
	select {
	case <-w:
	case <-c.Done():
		if s.leave(c.Bindings.Account, w) {
			return false
		}
	}
	c.Turn = s
	return true
}

// enter takes a place if there is one.
func (s *starts) enter() bool {
	if s.running.Add(1) <= s.most {
		return true
	}
	s.running.Add(-1)
	return false
}

// queue queues up. Somebody may have left since there was no place.
func (s *starts) queue(account string) waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[account]
	if a == nil {
		a = &starter{used: s.now}
		s.accounts[account] = a
	}
	w := make(waiter)
	a.queue = append(a.queue, w)
	s.waiting.Add(1)
	s.admit()
	return w
}

// leave takes a waiter out of its queue and reports whether it still was there.
func (s *starts) leave(account string, w waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[account]
	if a == nil {
		return false
	}
	i := slices.Index(a.queue, w)
	if i < 0 {
		return false
	}
	a.queue = slices.Delete(a.queue, i, i+1)
	s.waiting.Add(-1)
	return true
}

// EndTurn implements host.Turn.
func (s *starts) EndTurn(c *host.Call) {
	s.running.Add(-1)
	if s.waiting.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[c.Bindings.Account]; a != nil {
		a.used += c.Usage.CPU
	}
	s.admit()
}

// admit lets in who waits, as far as there is room. It needs s.mu.
func (s *starts) admit() {
	for s.waiting.Load() > 0 && s.enter() {
		a := s.next()
		s.now = max(s.now, a.used)
		close(a.queue[0])
		a.queue = slices.Delete(a.queue, 0, 1)
		s.waiting.Add(-1)
	}
	if s.waiting.Load() == 0 {
		clear(s.accounts)
	}
}

// next is the account whose turn it is; somebody waits.
func (s *starts) next() (next *starter) {
	for _, a := range s.accounts {
		if len(a.queue) > 0 && (next == nil || a.used < next.used) {
			next = a
		}
	}
	return next
}
