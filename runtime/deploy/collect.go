package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
)

// collect removes Versions that no Function has, Snapshots of no Version and blobs
// of neither, which an interrupted change left behind, and counts the rest.
func (r *Registry) collect(ctx context.Context, s *snapshot) error {
	for _, prefix := range []string{versionRecords, snapshotRecords} {
		err := keys(ctx, r.cfg.Store, prefix, func(e kv.Entry) error {
			if s.hasVersion(strings.TrimPrefix(e.Key, prefix)) {
				r.hold(string(e.Metadata))
				return nil
			}
			r.cfg.Logger.Info("remove leftover record", "key", e.Key)
			return r.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{})
		})
		if err != nil {
			return err
		}
	}
	if err := r.loadAssets(ctx); err != nil {
		return err
	}
	if err := r.collectSecrets(ctx, s); err != nil {
		return err
	}
	blobs, err := r.cfg.Blobs.List(ctx)
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	for _, d := range blobs {
		if r.uses[d.String()] > 0 {
			continue
		}
		r.cfg.Logger.Info("remove leftover blob", "digest", d.String())
		if err := r.cfg.Blobs.Delete(ctx, d); err != nil {
			return fmt.Errorf("delete blob: %w", err)
		}
	}
	return nil
}

// hasVersion reports whether a Function has the Version "<account>/<name>/<id>".
func (s *snapshot) hasVersion(path string) bool {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return false
	}
	f := s.functions[functionID{parts[0], parts[1]}]
	return f != nil && slices.Contains(f.Versions, parts[2])
}

// prune removes the Versions and secrets that a Function no longer has. What it
// can't remove the next start will.
func (r *Registry) prune(ctx context.Context, id functionID, before, after *deployed) {
	if before == nil {
		return
	}
	now := Function{}
	if after != nil {
		now = after.Function
	}
	for _, version := range before.Versions {
		if slices.Contains(now.Versions, version) {
			continue
		}
		err := errors.Join(r.removeRecord(ctx, versionRecord(id, version)), r.removeRecord(ctx, snapshotRecord(id, version)))
		if err != nil {
			r.cfg.Logger.Error("remove old version", "account", id.account, "function", id.name, "version", version, "err", err)
		}
	}
	r.pruneSecrets(ctx, id, before.values(), now.values())
	r.noteVersions(before, after)
}

// removeRecord removes a record whose metadata, if it has any, is the digest of its
// blob.
func (r *Registry) removeRecord(ctx context.Context, key string) error {
	return r.removeRecordAt(ctx, key, kv.AnyRevision)
}

func (r *Registry) removeRecordAt(ctx context.Context, key string, cond kv.Condition) error {
	e, err := r.cfg.Store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.cfg.Store.Delete(ctx, key, kv.DeleteOptions{If: cond}); err != nil || e.Metadata == nil {
		return err
	}
	return r.release(ctx, string(e.Metadata))
}
