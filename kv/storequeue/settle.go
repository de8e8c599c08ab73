package storequeue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// claim is a message whose lease is being ended.
type claim struct {
	kv.Settlement
	lease *lease
	index int
	item  *item
	next  *item // as what it waits again; nil if it does not
}

// Settle implements kv.Queues.
func (s *Queues) Settle(ctx context.Context, name kv.Queue, list []kv.Settlement) (stale []string, err error) {
	for _, st := range list {
		if err := kv.CheckDelay(st.Delay); err != nil {
			return nil, err
		}
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	q := s.queue(name)
	q.work.RLock()
	defer q.work.RUnlock()
	claims, stale := q.claim(list)
	if err := q.settle(ctx, claims); err != nil {
		return stale, fmt.Errorf("settle messages: %w", err)
	}
	return stale, nil
}

// claim takes the messages out of their leases.
func (q *queue) claim(list []kv.Settlement) (claims []*claim, stale []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, st := range list {
		id, i, ok := parseToken(st.Lease)
		l := q.leases[id]
		if !ok || l == nil || i >= len(l.items) || l.items[i] == nil {
			stale = append(stale, st.Lease)
			continue
		}
		claims = append(claims, q.claimOne(l, i, st))
	}
	return claims, stale
}

// claimOne needs q.mu. Where the message is going to wait is busy from now on.
func (q *queue) claimOne(l *lease, i int, st kv.Settlement) *claim {
	c := &claim{Settlement: st, lease: l, index: i, item: l.items[i]}
	l.items[i] = nil
	l.open--
	if !st.Retry {
		return c
	}
	next := *c.item
	if !st.Unseen {
		next.attempts++
	}
	if st.Delay > 0 {
		next.key = keyOf(time.Now().Add(st.Delay+time.Millisecond), idOf(c.item.key))
		q.busy[next.key] = true
	}
	c.next = &next
	return c
}

// settle does what was claimed. Leases that have nothing left then end.
func (q *queue) settle(ctx context.Context, claims []*claim, records ...string) error {
	var writes []kv.Write
	for _, c := range claims {
		w, err := q.writes(ctx, c)
		if err != nil {
			q.finish(claims, false)
			return err
		}
		writes = append(writes, w...)
	}
	for _, id := range append(records, q.ending(claims)...) {
		writes = append(writes, kv.Write{Key: q.prefix + leased + id, Delete: true})
	}
	err := q.owner.commit.write(ctx, true, writes...)
	q.finish(claims, err == nil)
	return err
}

// writes brings the store up to date with a claim.
func (q *queue) writes(ctx context.Context, c *claim) ([]kv.Write, error) {
	switch {
	case c.next == nil:
		return []kv.Write{q.cut(c.item)}, nil
	case *c.next == *c.item:
		return nil, nil
	}
	e, err := q.store.Get(ctx, messages+c.item.key)
	if errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrCorrupt) { // of a Settle that failed half-way, or of the disk
		q.lost(c)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.next.key == c.item.key {
		return []kv.Write{q.put(c.next, e.Value)}, nil
	}
	return []kv.Write{q.put(c.next, e.Value), q.cut(c.item)}, nil
}

// lost gives a message up that can't be read.
func (q *queue) lost(c *claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.next.key != c.item.key {
		delete(q.busy, c.next.key)
	}
	c.next = nil
}

// ending are the leases of which nothing is left but what is claimed.
func (q *queue) ending(claims []*claim) (list []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := map[string]bool{}
	for _, c := range claims {
		if l := c.lease; l.open == 0 && q.leases[l.id] == l && !seen[l.id] {
			seen[l.id] = true
			list = append(list, l.id)
		}
	}
	return list
}

// endRecords removes records of leases. One that stays means nothing once its messages
// are gone.
func (q *queue) endRecords(ctx context.Context, list ...string) {
	var writes []kv.Write
	for _, id := range list {
		writes = append(writes, kv.Write{Key: q.prefix + leased + id, Delete: true})
	}
	if err := q.owner.commit.write(ctx, true, writes...); err != nil {
		q.owner.cfg.Logger.Warn("the record of a lease stays until the next start", "account", q.name.Account, "queue", q.name.ID, "err", err)
	}
}

// finish brings memory up to date with what was written, or was not: then messages stay
// on lease, or wait again if the lease has ended meanwhile.
func (q *queue) finish(claims []*claim, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range claims {
		if c.next != nil && c.next.key != c.item.key {
			delete(q.busy, c.next.key)
		}
		if !done && q.leases[c.lease.id] == c.lease {
			c.lease.items[c.index] = c.item
			c.lease.open++
			continue
		}
		delete(q.busy, c.item.key)
		q.unlease(1)
		switch {
		case !done:
			c.item.attempts++
			q.push(c.item)
		case c.next == nil:
			q.add(-1, -c.item.size)
		default:
			q.push(c.next)
		}
	}
	for _, c := range claims {
		if l := c.lease; l.open == 0 && q.leases[l.id] == l {
			delete(q.leases, l.id)
			l.timer.Stop()
		}
	}
	q.wake() // there may be room for more leases
}

// expire gives the messages back whose lease is over.
func (q *queue) expire(l *lease) {
	ctx := context.Background()
	if q.owner.begin(ctx) != nil {
		return
	}
	defer q.owner.life.RUnlock()
	q.work.RLock()
	defer q.work.RUnlock()
	claims := q.claimAll(l)
	if claims == nil {
		return
	}
	err := q.settle(ctx, claims, l.id)
	if err != nil && !errors.Is(err, kv.ErrClosed) {
		q.owner.cfg.Logger.Error("that messages of a queue were delivered can't be recorded", "account", q.name.Account, "queue", q.name.ID, "err", err)
	}
}

// claimAll takes what is left of a lease, and ends it.
func (q *queue) claimAll(l *lease) (claims []*claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leases[l.id] != l {
		return nil
	}
	for i, it := range l.items {
		if it != nil {
			claims = append(claims, q.claimOne(l, i, kv.Settlement{Retry: true}))
		}
	}
	delete(q.leases, l.id)
	return claims
}
