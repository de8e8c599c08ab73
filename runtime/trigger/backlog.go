package trigger

import (
	"container/heap"
	"time"
)

// backlog is what waits in the store for one account, as far as it has to be known to
// find what is due: no payloads, and no goroutine for each. The caller guards it.
type backlog struct {
	all       map[string]*waiting // by key
	due       dueHeap             // those that are not under way
	bytes     int64               // of their payloads
	functions map[string]int      // how many each has
	feeding   bool                // somebody follows it
	changed   chan struct{}       // capacity 1: due begins with another one
}

// waiting is one record.
type waiting struct {
	key      string
	function string
	size     int64
	next     time.Time // when it is due
	at       int       // in the heap; -1 while it is under way
	gone     bool      // it was removed while it is under way
	revision uint64    // the newest that is known
}

func newBacklog() *backlog {
	return &backlog{all: map[string]*waiting{}, functions: map[string]int{}, changed: make(chan struct{}, 1)}
}

// add takes a record that is under way.
func (b *backlog) add(key, function string, size int64) *waiting {
	w := &waiting{key: key, function: function, size: size, at: -1}
	b.all[key] = w
	b.bytes += size
	b.functions[function]++
	return w
}

// put says when a record is due, and that it is not under way.
func (b *backlog) put(w *waiting, next time.Time) {
	w.next = next
	if w.at < 0 {
		heap.Push(&b.due, w)
	} else {
		heap.Fix(&b.due, w.at)
	}
	if b.due[0] == w {
		b.signal()
	}
}

// take returns what is due, and since then under way, or how long it is until then; 0
// if there is nothing.
func (b *backlog) take(now time.Time) (w *waiting, wait time.Duration) {
	if len(b.due) == 0 {
		return nil, 0
	}
	if wait = b.due[0].next.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&b.due).(*waiting), 0
}

func (b *backlog) remove(w *waiting) {
	if w.at >= 0 {
		heap.Remove(&b.due, w.at)
	}
	delete(b.all, w.key)
	b.bytes -= w.size
	if b.functions[w.function]--; b.functions[w.function] == 0 {
		delete(b.functions, w.function)
	}
}

func (b *backlog) signal() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// dueHeap has first what is due first.
type dueHeap []*waiting

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	w := x.(*waiting)
	w.at = len(*h)
	*h = append(*h, w)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.at = -1
	return w
}
