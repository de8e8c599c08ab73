package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
)

// snapshotEntry is the record of a Version's Snapshot, which is a blob.
type snapshotEntry struct {
	Digest string `json:"digest"`
}

// restore makes the Snapshot of a Version from what is stored. If it can't, the
// Snapshot has to be taken.
func (r *Registry) restore(ctx context.Context, a *Active) (*runtime.Snapshot, error) {
	entry, _, err := read[snapshotEntry](ctx, r.cfg.Store, snapshotRecord(a.id(), a.VersionID))
	if err != nil {
		return nil, err
	}
	digest, err := kv.ParseDigest(entry.Digest)
	if err != nil {
		return nil, err
	}
	data, err := r.cfg.Blobs.Get(ctx, digest)
	if errors.Is(err, kv.ErrCorrupt) {
		r.cfg.Logger.Warn("snapshot is damaged, taking it again", "account", a.Account, "function", a.Function, "digest", entry.Digest)
		return nil, errors.Join(err, r.cfg.Blobs.Delete(ctx, digest)) // else the same bytes would not be written
	}
	if err != nil {
		return nil, err
	}
	return r.cfg.Runtime.Restore(ctx, data, a.digest)
}

func (a *Active) id() functionID { return functionID{a.Account, a.Function} }

// take takes the Snapshot of a Version from its module, and stores it. If the code alone
// was missing, as it is on a node that others deploy to, what they have stored will do.
func (r *Registry) take(ctx context.Context, a *Active) (*runtime.Snapshot, error) {
	data, err := r.cfg.Blobs.Get(ctx, a.digest)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	m, err := r.cfg.Runtime.Load(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("load module: %w", err)
	}
	defer m.Close()
	if s, err := r.restore(ctx, a); err == nil {
		return s, nil
	}
	s, err := m.Prepare(ctx, a.setup)
	if err != nil {
		return nil, fmt.Errorf("take snapshot: %w", err)
	}
	if err := r.keep(ctx, a, s); err != nil { // it serves all the same
		r.cfg.Logger.Error("store snapshot", "account", a.Account, "function", a.Function, "err", err)
	}
	return s, nil
}

// keep stores a Snapshot that was taken of a Version which is there already.
func (r *Registry) keep(ctx context.Context, a *Active, s *runtime.Snapshot) error {
	if !r.cfg.Runtime.Restores() {
		return nil
	}
	data, err := s.Encode()
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if kept, err := r.replaceSnapshot(ctx, a, data); err != nil || !kept {
		return err
	}
	return r.rescue(ctx, false, data)
}

// replaceSnapshot writes a Snapshot over the one that there was. It reports false if
// nobody needs it any more.
func (r *Registry) replaceSnapshot(ctx context.Context, a *Active, data []byte) (kept bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.retired.Load() {
		return false, nil
	}
	key := snapshotRecord(a.id(), a.VersionID)
	old, _, err := read[snapshotEntry](ctx, r.cfg.Store, key)
	if err != nil {
		old = snapshotEntry{} // there is none, or it is damaged, and is written over
	}
	if err := r.storeSnapshot(ctx, key, data); err != nil {
		return false, err
	}
	if old.Digest == "" {
		return true, nil
	}
	return true, r.release(ctx, old.Digest)
}

// storeSnapshot stores the blob and its record, and counts the use. It needs r.mu.
func (r *Registry) storeSnapshot(ctx context.Context, key string, data []byte) error {
	if data == nil {
		return nil
	}
	digest, err := r.cfg.Blobs.Put(ctx, data)
	if err != nil {
		return fmt.Errorf("store snapshot: %w", err)
	}
	entry := snapshotEntry{digest.String()}
	if _, err := write(ctx, r.cfg.Store, key, entry, kv.PutOptions{Metadata: []byte(entry.Digest)}); err != nil {
		return err
	}
	r.hold(entry.Digest)
	return nil
}
