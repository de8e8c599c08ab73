package memkv

import (
	"context"

	"github.com/mayfly-run/mayfly/kv"
)

// Batch implements kv.Batcher.
func (s *Store) Batch(ctx context.Context, writes []kv.Write, _ bool) error {
	if err := kv.CheckBatch(writes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	for _, w := range writes {
		e := kv.Entry{Key: w.Key, Value: copyOf(w.Value), Metadata: copyOf(w.Metadata)}
		if _, err := s.write(context.WithoutCancel(ctx), e, w.Delete, kv.AnyRevision); err != nil {
			return err
		}
	}
	return nil
}
