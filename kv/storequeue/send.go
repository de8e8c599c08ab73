package storequeue

import (
	"context"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Send implements kv.Queues.
func (s *Queues) Send(ctx context.Context, name kv.Queue, list []kv.Message, opts kv.SendOptions) ([]string, error) {
	opts, err := kv.CheckSend(list, opts)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	q := s.queue(name)
	q.sends.RLock()
	defer q.sends.RUnlock()
	items := s.items(list, opts.Retention)
	if err := q.reserve(items); err != nil {
		return nil, err
	}
	writes := make([]kv.Write, len(items))
	for i, it := range items {
		writes[i] = q.put(it, list[i].Body)
	}
	err = s.commit.write(ctx, false, writes...)
	q.sent(items, func(key string) bool { return err == nil || q.has(ctx, key) })
	if err != nil {
		return nil, fmt.Errorf("send to queue: %w", err)
	}
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = idOf(it.key)
	}
	return names, nil
}

func (s *Queues) items(list []kv.Message, retention time.Duration) []*item {
	now := time.UnixMilli(time.Now().UnixMilli()) // as it is kept
	items := make([]*item, len(list))
	for i, m := range list {
		due := now
		if m.Delay > 0 {
			due = now.Add(m.Delay + time.Millisecond) // nothing comes too early
		}
		items[i] = &item{keyOf(due, s.ids.next(now)), header{
			sent: now, expires: now.Add(retention), size: int64(len(m.Body)), contentType: m.ContentType}}
	}
	return items
}

// reserve counts items that are about to be stored, if there is room.
func (q *queue) reserve(items []*item) error {
	var bytes int64
	for _, it := range items {
		bytes += it.size
	}
	more := bytes + Overhead*int64(len(items))
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		return kv.ErrNoQueue
	}
	if has, most := q.bytes+Overhead*q.count, q.owner.cfg.QueueBytes; has+more > most {
		return kv.Full("queue", has, most)
	}
	if has, most := q.account.bytes.Load(), q.owner.cfg.AccountBytes; has+more > most {
		return kv.Full("account", has, most)
	}
	q.add(int64(len(items)), bytes)
	for _, it := range items {
		q.busy[it.key] = true
		if q.fresh != nil {
			q.fresh[it.key] = true
		}
	}
	return nil
}

// put is the write of a message.
func (q *queue) put(it *item, body []byte) kv.Write {
	return kv.Write{Key: q.prefix + messages + it.key, Value: body, Metadata: it.encode()}
}

// cut is the write that removes a message.
func (q *queue) cut(it *item) kv.Write {
	return kv.Write{Key: q.prefix + messages + it.key, Delete: true}
}

// has says whether a message is in the store.
func (q *queue) has(ctx context.Context, key string) bool {
	_, err := q.store.Get(context.WithoutCancel(ctx), messages+key)
	return err == nil
}

// sent lets items be received that were stored.
func (q *queue) sent(items []*item, stored func(key string) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range items {
		delete(q.busy, it.key)
		if stored(it.key) {
			q.push(it)
			continue
		}
		q.add(-1, -it.size)
	}
}
