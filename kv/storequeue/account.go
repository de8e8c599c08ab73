package storequeue

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/kv"
)

// maxKept is how many messages the windows of an account's queues have together, about:
// some 20 MB.
const maxKept = 100_000

// account is what the queues of one account share.
type account struct {
	bytes  atomic.Int64 // that wait
	leased atomic.Int64 // messages on lease

	most       int   // messages in windows
	mostLeased int64 // messages on lease, where that is bounded

	// mu guards what follows, and queue.kept and queue.used. It is taken while a queue.mu
	// is held; then others are only tried.
	mu   sync.Mutex
	kept int       // messages in windows
	used list.List // *queue that have a window; what was received from last is at the back
}

// leasable is how many more messages may be leased, where that is bounded.
func (a *account) leasable() int { return int(max(0, a.mostLeased-a.leased.Load())) }

func (a *account) full() error { return kv.Leased(a.leased.Load(), a.mostLeased) }

// reserve counts n messages that are about to be leased, or as many as may be where that
// is bounded.
func (a *account) reserve(n int, bounded bool) int {
	for {
		has := a.leased.Load()
		if bounded {
			n = int(min(int64(n), max(0, a.mostLeased-has)))
		}
		if a.leased.CompareAndSwap(has, has+int64(n)) {
			return n
		}
	}
}

// keep counts what the window of a queue has now, and drops other windows if the account
// has too much. One that is in use stays. It needs q.mu.
func (a *account) keep(q *queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count(q)
	var next *list.Element
	for e := a.used.Front(); e != nil && a.kept > a.most; e = next {
		next = e.Next()
		if other := e.Value.(*queue); other.mu.TryLock() { // q is locked
			other.window, other.horizon, other.whole = nil, "", false
			a.count(other)
			other.mu.Unlock()
		}
	}
}

// count needs a.mu and q.mu.
func (a *account) count(q *queue) {
	a.kept += len(q.window) - q.kept
	q.kept = len(q.window)
	switch {
	case q.kept == 0 && q.used != nil:
		a.used.Remove(q.used)
		q.used = nil
	case q.kept > 0 && q.used == nil:
		q.used = a.used.PushBack(q)
	}
}

// use has the window of a queue dropped later than others. It needs q.mu.
func (a *account) use(q *queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q.used != nil {
		a.used.MoveToBack(q.used)
	}
}

// page is how many messages are read at once: a batch if windows are dropped soon.
func (a *account) page() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept > a.most/2 {
		return kv.MaxBatch
	}
	return page
}
