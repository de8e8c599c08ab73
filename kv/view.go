package kv

import (
	"context"
	"errors"
	"fmt"
)

// View is a Store as it was at one moment: a copy that costs nothing but that
// what is overwritten meanwhile is kept. It is for one goroutine.
type View interface {
	// Revision is the highest that had been given; no entry has a higher one.
	Revision() uint64
	// Entries calls do for every entry that was live at that moment, with its
	// value, in the order of the bytes of the keys, until do returns an error,
	// which Entries returns. The entry is do's to keep; do must not call the
	// Store. A damaged one is ErrCorrupt with its key.
	Entries(ctx context.Context, do func(Entry) error) error
	// Close lets go of what was kept. It may be called more than once, and has to
	// be before the Store is closed.
	Close() error
}

// Viewer is a Store that can be read whole as of one moment. The View has every
// write that was acknowledged before the call, and of those under way each as a
// whole or not at all.
type Viewer interface {
	View(ctx context.Context) (View, error)
}

// ViewOf returns a View of s, or errors.ErrUnsupported if s is no Viewer.
func ViewOf(ctx context.Context, s Store) (View, error) {
	v, ok := s.(Viewer)
	if !ok {
		return nil, fmt.Errorf("store without views: %w", errors.ErrUnsupported)
	}
	return v.View(ctx)
}
