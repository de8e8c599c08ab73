package kv

import "context"

// Syncer is a Store that reads a copy of what several nodes write, which may be
// behind what others have written.
type Syncer interface {
	// Sync waits until the copy has every write that any node was told of as done
	// before the call. It costs as much as a write. ErrUnavailable: nobody can tell now.
	Sync(ctx context.Context) error
}

// Sync is Syncer's; a Store that is no Syncer has what there is.
func Sync(ctx context.Context, s Store) error {
	if c, ok := s.(Syncer); ok {
		return c.Sync(ctx)
	}
	return nil
}

// Sync implements Syncer.
func (s *sub) Sync(ctx context.Context) error {
	if s.isClosed() {
		return ErrClosed
	}
	return Sync(ctx, s.parent)
}
