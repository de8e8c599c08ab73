package space

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/mayfly-run/mayfly/kv"
)

// overhead is what a write takes beside its bytes, about.
const overhead = 256

// Store returns s with writes refused, kv.ErrNoSpace, while there is no room for
// them. Deletions may use a half of the reserve.
func (g *Guard) Store(s kv.Store) kv.Store { return guardedStore{s, g} }

type guardedStore struct {
	kv.Store
	guard *Guard
}

// Put implements kv.Store.
func (s guardedStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (revision uint64, err error) {
	floor := s.guard.reserve
	if opts.Frees {
		floor /= removalShare
	}
	err = s.guard.write(int64(len(key)+len(value)+len(opts.Metadata)), floor, func() error {
		revision, err = s.Store.Put(ctx, key, value, opts)
		return err
	})
	return revision, err
}

// Delete implements kv.Store.
func (s guardedStore) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	return s.guard.write(int64(len(key)), s.guard.reserve/removalShare, func() error {
		return s.Store.Delete(ctx, key, opts)
	})
}

// Batch implements kv.Batcher.
func (s guardedStore) Batch(ctx context.Context, writes []kv.Write, frees bool) error {
	floor := s.guard.reserve / removalShare
	size := int64(0)
	for _, w := range writes {
		size += int64(w.Size()) + overhead
		if !w.Delete && !frees {
			floor = s.guard.reserve
		}
	}
	return s.guard.write(size, floor, func() error { return kv.Batch(ctx, s.Store, writes, frees) })
}

// View implements kv.Viewer.
func (s guardedStore) View(ctx context.Context) (kv.View, error) { return kv.ViewOf(ctx, s.Store) }

// GetStrong implements kv.StrongReader.
func (s guardedStore) GetStrong(ctx context.Context, key string) (kv.Entry, error) {
	return kv.GetStrong(ctx, s.Store, key)
}

// GetLocal implements kv.LocalReader.
func (s guardedStore) GetLocal(ctx context.Context, key string) (kv.Entry, bool, error) {
	return kv.GetLocal(ctx, s.Store, key)
}

// Sync implements kv.Syncer.
func (s guardedStore) Sync(ctx context.Context) error { return kv.Sync(ctx, s.Store) }

// LogChanges implements kv.ChangeLogger.
func (s guardedStore) LogChanges(ctx context.Context, rules []kv.ChangeRule) error {
	return kv.LogChanges(ctx, s.Store, rules)
}

// Blobs returns b with Put refused, kv.ErrNoSpace, while there is no room for it.
func (g *Guard) Blobs(b kv.Blobs) kv.Blobs { return guardedBlobs{b, g} }

type guardedBlobs struct {
	kv.Blobs
	guard *Guard
}

// Put implements kv.Blobs.
func (b guardedBlobs) Put(ctx context.Context, data []byte) (d kv.Digest, err error) {
	err = b.guard.write(int64(len(data)), b.guard.reserve, func() error {
		d, err = b.Blobs.Put(ctx, data)
		return err
	})
	return d, err
}

// ReadPart implements kv.PartReader.
func (b guardedBlobs) ReadPart(ctx context.Context, d kv.Digest, p []byte, offset int64) error {
	return kv.ReadPart(ctx, b.Blobs, d, p, offset)
}

func (g *Guard) write(size, floor int64, do func() error) error {
	size += overhead
	if err := g.take(size, floor); err != nil {
		return err
	}
	defer g.done(size)
	return noSpace(do())
}

// noSpace recognises what the system says of a full disk, of one without inodes,
// and of quotas.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", kv.ErrNoSpace, err)
	}
	return err
}
