package natskv

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv"
)

// logged are the messages of a change's records.
func (w *writing) logged(ctx context.Context) (list []*nats.Msg, err error) {
	now := w.cfg.Now()
	change := kv.ChangeFrom(ctx, w.record.entry, w.old, w.record.deleted, now)
	for i, rule := range w.rules {
		r := record{entry: kv.Entry{Key: rule.Log + w.changeName()}}
		if r.entry.Value, r.entry.Metadata, err = change.Record(uint64(len(w.rules) - i)); err != nil {
			return nil, err
		}
		if rule.Keep > 0 {
			r.entry.Expires = time.UnixMilli(now.Add(rule.Keep).UnixMilli())
		}
		if err := kv.CheckSize(r.entry.Key, r.entry.Value, r.entry.Metadata); err != nil {
			return nil, err
		}
		list = append(list, w.message(w.streams, r))
	}
	return list, nil
}

// changeName comes after the names of earlier changes of the key. Those had lower
// revisions than the key's last message, if it is still there; and the copy has seen
// it, if it is not. The revision of this change is not known before it is written.
func (w *writing) changeName() string {
	sum := sha256.Sum256([]byte(w.record.entry.Key))
	return fmt.Sprintf("%016x%x", max(w.expected, w.progress.get()), sum[:8])
}

// Batch implements kv.Batcher. Deletions are written also of what is not there.
func (s *Store) Batch(ctx context.Context, writes []kv.Write, _ bool) error {
	if err := kv.CheckBatch(writes); err != nil {
		return err
	}
	if err := s.life.Enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	if len(writes) == 0 {
		return nil
	}
	rules, most := s.rules.Load(), int(s.conn.MaxPayload())-room
	records := make([]record, len(writes))
	for i, w := range writes {
		records[i] = record{entry: kv.Entry{Key: w.Key, Value: w.Value, Metadata: w.Metadata}}
		if w.Delete {
			records[i] = record{entry: kv.Entry{Key: w.Key}, deleted: true}
		}
		if len(rules.Match(w.Key)) > 0 || records[i].size() > most {
			return fmt.Errorf("write several keys at once: %w", errors.ErrUnsupported)
		}
	}
	limit, cancel := context.WithTimeout(ctx, s.cfg.patience)
	defer cancel()
	return failure(ctx, fmt.Sprintf("write %d keys", len(writes)), s.writeAll(limit, records))
}

func (s *Store) writeAll(ctx context.Context, records []record) error {
	st, err := s.ready(ctx)
	if err != nil {
		return err
	}
	keys := make([]string, len(records))
	for i, r := range records {
		keys[i] = r.entry.Key
	}
	unlock, err := s.writes.lockAll(ctx, keys)
	if err != nil {
		return err
	}
	defer unlock()
	p := posting{Store: s, streams: st, key: records[len(records)-1].entry.Key}
	for _, r := range records {
		p.messages = append(p.messages, s.message(st, r))
	}
	revision, err := p.post(ctx)
	if err != nil {
		return err
	}
	return s.arrive(ctx, revision)
}
