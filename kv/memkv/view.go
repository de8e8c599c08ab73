package memkv

import (
	"bytes"
	"context"
	"slices"

	"github.com/mayfly-run/mayfly/kv"
)

// View implements kv.Viewer. It copies the entries but not their values, which
// are never changed in place.
func (s *Store) View(ctx context.Context) (kv.View, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	v := &view{store: s, revision: s.revision}
	now := s.now()
	for _, key := range s.keys {
		if e := s.entries[key]; !e.ExpiredAt(now) {
			v.entries = append(v.entries, e)
		}
	}
	return v, nil
}

type view struct {
	store    *Store
	revision uint64
	entries  []kv.Entry
}

// Revision implements kv.View.
func (v *view) Revision() uint64 { return v.revision }

// Entries implements kv.View.
func (v *view) Entries(ctx context.Context, do func(kv.Entry) error) error {
	for _, e := range slices.Clone(v.entries) {
		if err := v.usable(ctx); err != nil {
			return err
		}
		e.Value, e.Metadata = bytes.Clone(e.Value), bytes.Clone(e.Metadata)
		if err := do(e); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) usable(ctx context.Context) error {
	v.store.mu.RLock()
	defer v.store.mu.RUnlock()
	return v.store.usable(ctx)
}

// Close implements kv.View.
func (v *view) Close() error {
	v.entries = nil
	return nil
}
