package trigger

import (
	"sync"
	"time"
)

// deadlineSlack is how much later than asked for a deadline may be.
const deadlineSlack = time.Second

// deadline is that of one direction of a connection. Setting one moves a timer of
// the runtime, and most are never waited for. So it is set when something waits,
// and only if the one that is set is no good: it must not be earlier than wanted,
// nor later by more than the slack.
type deadline struct {
	set func(time.Time) error

	mu     sync.Mutex // guards what follows
	wanted time.Time  // zero: nobody set one
	inUse  time.Time
	busy   bool // something waits
}

func (d *deadline) want(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if d.busy {
		return d.apply(t)
	}
	return nil
}

func (d *deadline) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = time.Time{}
}

// begin begins a wait, until otherwise if nobody set a deadline.
func (d *deadline) begin(otherwise time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = true
	if d.wanted.IsZero() {
		return d.apply(otherwise)
	}
	return d.apply(d.wanted)
}

func (d *deadline) end() {
	d.mu.Lock()
	d.busy = false
	d.mu.Unlock()
}

// apply needs d.mu.
func (d *deadline) apply(t time.Time) error {
	if t.IsZero() == d.inUse.IsZero() && !d.inUse.Before(t) && d.inUse.Sub(t) <= deadlineSlack {
		return nil
	}
	if !t.IsZero() && time.Until(t) > 0 {
		t = t.Add(deadlineSlack)
	}
	d.inUse = t
	return d.set(t)
}
