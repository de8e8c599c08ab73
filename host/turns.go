package host

import (
	"slices"
	"sync"
)

// turns lets a number of things go on at the same time and the others wait, in
// the order in which they asked. The order matters: a guest that reads its
// responses one after the other would wait for ever if a later request could
// take the place of an earlier one.
type turns struct {
	mu      sync.Mutex // guards what follows
	taken   int
	waiting []turn
}

// A turn is closed when it has come.
type turn chan struct{}

// ask asks for a turn, of which most are taken at the same time.
func (q *turns) ask(most int) turn {
	t := make(turn)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken < most {
		q.taken++
		close(t)
	} else {
		q.waiting = append(q.waiting, t)
	}
	return t
}

// giveBack ends a turn, whether it has come or not.
func (q *turns) giveBack(t turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, t); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	if len(q.waiting) == 0 {
		q.taken--
		return
	}
	close(q.waiting[0])
	q.waiting = slices.Delete(q.waiting, 0, 1)
}
