package storequeue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
)

// recover counts what is in the store, and ends the leases of before.
func (s *Queues) recover(ctx context.Context) error {
	all := kv.Sub(s.cfg.Store, s.cfg.Prefix)
	opts := kv.ListOptions{}
	var records []string
	for {
		list, err := all.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("read queues: %w", err)
		}
		for _, e := range list.Entries {
			if s.found(e) {
				records = append(records, e.Key)
			}
		}
		if opts.Cursor = list.Cursor; opts.Cursor == "" {
			break
		}
	}
	for _, key := range records {
		if err := s.endLease(ctx, all, key); err != nil {
			return fmt.Errorf("end lease: %w", err)
		}
	}
	return nil
}

// found counts a message, or says that it is the record of a lease.
func (s *Queues) found(e kv.Entry) (isLease bool) {
	parts := strings.SplitN(e.Key, "/", 3) // account, queue, what is below it
	if len(parts) < 3 {
		return false
	}
	if strings.HasPrefix(parts[2], leased) {
		return true
	}
	it, err := readItem(strings.TrimPrefix(parts[2], messages), e.Metadata)
	if err != nil {
		s.cfg.Logger.Error("a message of a queue is damaged", "key", e.Key, "err", err)
		return false
	}
	q := s.queue(kv.Queue{Account: parts[0], ID: parts[1]})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(1, it.size)
	return false
}

// endLease counts the deliveries that a lease stands for.
func (s *Queues) endLease(ctx context.Context, all kv.Store, key string) error {
	e, err := all.Get(ctx, key)
	if err != nil {
		return err
	}
	r, err := decodeLease(e.Value)
	if err != nil {
		s.cfg.Logger.Error("the record of a lease is damaged: deliveries are not counted", "key", key, "err", err)
	}
	queue := key[:strings.LastIndex(key, leased)]
	for i := range r.keys {
		if err := count(ctx, all, queue+messages+r.keys[i], r.attempts[i]); err != nil {
			return err
		}
	}
	return all.Delete(ctx, key, kv.DeleteOptions{})
}

// count raises the deliveries of a message, if it is still there.
func count(ctx context.Context, all kv.Store, key string, attempts int) error {
	e, err := all.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := decodeHeader(e.Metadata)
	if err != nil || h.attempts >= attempts {
		return nil //nolint:nilerr // it was reported, and is not delivered
	}
	h.attempts = attempts
	_, err = all.Put(ctx, key, e.Value, kv.PutOptions{Metadata: h.encode(), Frees: true})
	return err
}
