package trigger

import "context"

// room is that of one batch in memory, of what its account may have there. Readers wait
// for messages without it, and for room without messages: thousands of queues whose
// Functions are slow do not fill memory with what waits for a place.
type room struct {
	places  *Places
	account string
	leave   func() // nil: it is not taken
	waited  bool   // others wait as well
}

// newRoom takes room at once where the last batch of a queue found none.
func (c *Consumers) newRoom(ctx context.Context, u *consumed) (*room, error) {
	r := &room{places: c.cfg.Places, account: u.now.Load().Account}
	if !u.crowded.Load() || r.take() {
		return r, nil
	}
	var err error
	r.leave, err = r.places.hold(ctx, r.account)
	r.waited = true
	return r, err
}

// take takes it, if it isn't yet and nobody waits for it.
func (r *room) take() bool {
	if r.leave == nil {
		r.leave = r.places.tryHold(r.account)
	}
	return r.leave != nil
}

func (r *room) end() {
	if r.leave != nil {
		r.leave()
		r.leave = nil
	}
}
