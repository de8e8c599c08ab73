package storequeue

import (
	"container/heap"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Receive implements kv.Queues.
func (s *Queues) Receive(ctx context.Context, name kv.Queue, opts kv.ReceiveOptions) ([]kv.Delivery, error) {
	if err := kv.CheckReceive(opts); err != nil {
		return nil, err
	}
	q := s.queue(name)
	var first time.Time // when there was a message
	for began := time.Now(); ; {
		if err := s.begin(ctx); err != nil {
			return nil, err
		}
		list, look, err := q.receive(ctx, opts, began, &first)
		s.life.RUnlock()
		if err != nil || len(list) > 0 || look.changed == nil {
			return list, err
		}
		select {
		case <-look.changed:
		case <-time.After(time.Until(look.at)):
		case <-ctx.Done():
		case <-s.closed:
		}
	}
}

// look says when it is worth to look again: at a time, or when something has changed.
type look struct {
	changed chan struct{} // nil: not at all
	at      time.Time
}

// receive leases what there is, or says when to look again.
func (q *queue) receive(ctx context.Context, opts kv.ReceiveOptions, began time.Time, first *time.Time) ([]kv.Delivery, look, error) {
	q.work.RLock()
	defer q.work.RUnlock()
	for {
		l, again, err := q.take(ctx, opts, began, first)
		if err != nil || l == nil {
			return nil, again, err
		}
		list, err := q.deliver(ctx, l)
		if err == nil && len(list) > 0 {
			q.lease(l, opts.Lease)
			return list, look{}, nil
		}
		q.giveBack(ctx, l)
		if err != nil {
			return nil, look{}, fmt.Errorf("receive from queue: %w", err)
		}
	}
}

// take puts messages on lease that are due, unless it is worth to wait for more.
func (q *queue) take(ctx context.Context, opts kv.ReceiveOptions, began time.Time, first *time.Time) (*lease, look, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.gone {
		return nil, look{}, kv.ErrNoQueue
	}
	if err := q.fill(ctx); err != nil {
		return nil, look{}, err
	}
	q.account.use(q)
	room := min(opts.Max, maxLeased-q.leased)
	if opts.Bounded {
		left := q.account.leasable()
		if left == 0 {
			return nil, look{}, q.account.full()
		}
		room = min(room, left)
	}
	due, full := q.due(now, room)
	if due > 0 && first.IsZero() {
		*first = now
	}
	until := began.Add(opts.Wait)
	if due > 0 {
		until = first.Add(opts.Linger)
	}
	switch {
	case due > 0 && (full || !now.Before(until)):
		if due = q.account.reserve(due, opts.Bounded); due == 0 {
			return nil, look{}, q.account.full()
		}
		return q.pop(due), look{}, nil
	case !now.Before(until):
		return nil, look{}, nil
	}
	again := look{q.changed, until}
	if next := q.next(now); next.Before(until) {
		again.at = next
	}
	return nil, again, nil
}

// due counts the messages that are due, and says whether they are as many as there may
// be. It needs q.mu.
func (q *queue) due(now time.Time, most int) (n int, full bool) {
	bytes, by := int64(0), keyOf(now, "")
	for _, it := range q.window {
		if n >= most || bytes >= kv.MaxBatchBytes {
			return n, true
		}
		if it.key[:dueDigits] <= by {
			n++
			bytes += it.size
		}
	}
	return n, n >= most || bytes >= kv.MaxBatchBytes
}

// next is when the next message becomes due, of those in the window. It needs q.mu.
func (q *queue) next(now time.Time) time.Time {
	by, first := keyOf(now, ""), ""
	for _, it := range q.window {
		if due := it.key[:dueDigits]; due > by && (first == "" || due < first) {
			first = due
		}
	}
	if first == "" {
		return now.Add(kv.MaxDelay)
	}
	return dueOf(first)
}

// pop takes the first n messages of the window, which were reserved, or as many as one
// Receive may have. It needs q.mu.
func (q *queue) pop(n int) *lease {
	l := &lease{id: newLease()}
	for bytes := int64(0); l.open < n; l.open++ {
		if bytes += q.window[0].size; bytes > kv.MaxBatchBytes {
			break
		}
		it := heap.Pop(&q.window).(*item)
		q.busy[it.key] = true
		l.items = append(l.items, it)
	}
	q.leased += l.open
	q.account.leased.Add(int64(l.open - n))
	q.account.keep(q)
	return l
}

// unlease counts n messages that are no longer on lease. It needs q.mu.
func (q *queue) unlease(n int) {
	q.leased -= n
	q.account.leased.Add(-int64(n))
}

func newLease() string {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return hex.EncodeToString(b[:])
}

// deliver reads what was taken, once that is recorded. Messages that were kept long
// enough, or that are damaged, are not delivered.
func (q *queue) deliver(ctx context.Context, l *lease) ([]kv.Delivery, error) {
	if err := q.dropExpired(ctx, l); err != nil {
		return nil, err
	}
	if l.open == 0 {
		return nil, nil
	}
	if err := q.record(ctx, l); err != nil {
		return nil, err
	}
	var list []kv.Delivery
	for i, it := range l.items {
		if it == nil {
			continue
		}
		e, err := q.store.Get(ctx, messages+it.key)
		switch {
		case errors.Is(err, kv.ErrNotFound), errors.Is(err, kv.ErrCorrupt):
			q.owner.cfg.Logger.Error("a message of a queue can't be read, and is not delivered", "account", q.name.Account, "queue", q.name.ID, "message", idOf(it.key), "err", err)
			q.drop(l, i, errors.Is(err, kv.ErrNotFound))
		case err != nil:
			return nil, err
		default:
			list = append(list, kv.Delivery{ID: idOf(it.key), Sent: it.sent, ContentType: it.contentType, Body: e.Value, Attempts: it.attempts + 1, Lease: token(l.id, i)})
		}
	}
	return list, nil
}

// record says in the store what is on lease.
func (q *queue) record(ctx context.Context, l *lease) error {
	var r leaseRecord
	for _, it := range l.items {
		if it != nil {
			r.keys, r.attempts = append(r.keys, it.key), append(r.attempts, it.attempts+1)
		}
	}
	return q.owner.commit.write(ctx, true, kv.Write{Key: q.prefix + leased + l.id, Value: r.encode()})
}

// dropExpired removes messages that were kept long enough.
func (q *queue) dropExpired(ctx context.Context, l *lease) error {
	var old []int
	var cuts []kv.Write
	now := time.Now()
	for i, it := range l.items {
		if !it.expires.After(now) {
			old, cuts = append(old, i), append(cuts, q.cut(it))
		}
	}
	if err := q.owner.commit.write(ctx, true, cuts...); err != nil {
		return err
	}
	for _, i := range old {
		q.drop(l, i, true)
	}
	return nil
}

// drop takes a message out of a lease that nobody knows yet. removed: it is not in the
// store either.
func (q *queue) drop(l *lease, i int, removed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := l.items[i]
	l.items[i] = nil
	l.open--
	q.unlease(1)
	delete(q.busy, it.key)
	if removed {
		q.add(-1, -it.size)
	}
}

// lease lets a lease begin.
func (q *queue) lease(l *lease, lasts time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leases[l.id] = l
	l.timer = time.AfterFunc(lasts, func() { q.expire(l) })
}

// giveBack ends a lease that nobody knows.
func (q *queue) giveBack(ctx context.Context, l *lease) {
	q.endRecords(context.WithoutCancel(ctx), l.id)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range l.items {
		if it != nil {
			delete(q.busy, it.key)
			q.unlease(1)
			q.push(it)
		}
	}
}
