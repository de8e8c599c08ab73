package storequeue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Purge implements kv.Queues.
func (s *Queues) Purge(ctx context.Context, name kv.Queue) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	return s.queue(name).purge(ctx)
}

// Delete implements kv.Queues.
func (s *Queues) Delete(ctx context.Context, name kv.Queue) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	q := s.queue(name)
	q.end(true)
	q.sends.Lock()
	q.sends.Unlock() //nolint:staticcheck // those that had begun are over
	if err := q.purge(ctx); err != nil {
		q.end(false)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[name] == q {
		delete(s.queues, name)
	}
	return nil
}

// end has the queue refuse everybody, or serve them again.
func (q *queue) end(gone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone = gone
	q.wake()
}

// purge removes what is in the store, but not what is sent meanwhile.
func (q *queue) purge(ctx context.Context) error {
	q.work.Lock()
	defer q.work.Unlock()
	records := q.forget()
	defer q.remember()
	err := q.scan(ctx, func(all []*item) error {
		q.mu.Lock()
		all = slices.DeleteFunc(all, func(it *item) bool { return q.busy[it.key] || q.fresh[it.key] })
		q.mu.Unlock()
		return q.remove(ctx, all)
	})
	if err != nil {
		return fmt.Errorf("purge queue: %w", err)
	}
	q.endRecords(ctx, records...)
	return nil
}

// forget empties memory of all but what is being sent, and returns the leases that
// were there.
func (q *queue) forget() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	records := slices.Collect(maps.Keys(q.leases))
	for _, l := range q.leases {
		l.timer.Stop()
		for _, it := range l.items {
			if it != nil {
				delete(q.busy, it.key)
			}
		}
	}
	clear(q.leases)
	q.unlease(q.leased)
	q.window, q.horizon, q.whole = nil, "", false
	q.account.keep(q)
	q.fresh = map[string]bool{}
	for key := range q.busy {
		q.fresh[key] = true
	}
	return records
}

func (q *queue) remember() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fresh = nil
	q.wake()
}

// scan calls do for all messages in the store, by pages.
func (q *queue) scan(ctx context.Context, do func([]*item) error) error {
	opts := kv.ListOptions{Prefix: messages, Limit: page}
	for {
		list, err := q.store.List(ctx, opts)
		if err != nil {
			return err
		}
		var all []*item
		for _, e := range list.Entries {
			if it, err := readItem(e.Key[len(messages):], e.Metadata); err == nil {
				all = append(all, it)
			}
		}
		if err := do(all); err != nil {
			return err
		}
		if opts.Cursor = list.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}

// remove removes messages that are in no window and on no lease.
func (q *queue) remove(ctx context.Context, all []*item) error {
	var cuts []kv.Write
	for _, it := range all {
		cuts = append(cuts, q.cut(it))
	}
	if err := q.owner.commit.write(ctx, true, cuts...); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range all {
		q.add(-1, -it.size)
	}
	return nil
}

// sweep removes messages that were kept long enough, again and again until ctx ends.
// Most are removed as soon as they would be delivered.
func (s *Queues) sweep(ctx context.Context, every time.Duration) {
	for {
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		all := slices.Collect(maps.Values(s.queues))
		s.mu.Unlock()
		for _, q := range all {
			if err := q.sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Error("old messages of a queue stay", "account", q.name.Account, "queue", q.name.ID, "err", err)
			}
		}
	}
}

func (q *queue) sweep(ctx context.Context) error {
	q.work.RLock()
	defer q.work.RUnlock()
	now := time.Now()
	return q.scan(ctx, func(all []*item) error {
		old := slices.DeleteFunc(all, func(it *item) bool { return it.expires.After(now) })
		old = q.seize(old)
		defer q.let(old)
		return q.remove(ctx, old)
	})
}

// seize takes messages out of the window, and marks them as busy. Those that are busy
// already are left out.
func (q *queue) seize(list []*item) []*item {
	if len(list) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	list = slices.DeleteFunc(list, func(it *item) bool { return q.busy[it.key] })
	mine := map[string]bool{}
	for _, it := range list {
		q.busy[it.key], mine[it.key] = true, true
	}
	q.window = slices.DeleteFunc(q.window, func(it *item) bool { return mine[it.key] })
	slices.SortFunc(q.window, byKey) // a heap again
	q.account.keep(q)
	return list
}

func (q *queue) let(list []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range list {
		delete(q.busy, it.key)
	}
}
