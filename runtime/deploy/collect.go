package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
)

// collect removes Versions that no Function has and blobs that no Version has,
// which an interrupted change left behind, and counts the rest.
func (r *Registry) collect(ctx context.Context, s *snapshot) error {
	err := keys(ctx, r.cfg.Store, versionRecords, func(e kv.Entry) error {
		if s.hasVersion(strings.TrimPrefix(e.Key, versionRecords)) {
			r.uses[string(e.Metadata)]++
			return nil
		}
		r.cfg.Logger.Info("remove leftover version", "key", e.Key)
		return r.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{})
	})
	if err != nil {
		return err
	}
	blobs, err := r.cfg.Blobs.List(ctx)
	if err != nil {
		return fmt.Errorf("list modules: %w", err)
	}
	for _, d := range blobs {
		if r.uses[d.String()] > 0 {
			continue
		}
		r.cfg.Logger.Info("remove leftover module", "digest", d.String())
		if err := r.cfg.Blobs.Delete(ctx, d); err != nil {
			return fmt.Errorf("delete module: %w", err)
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

// prune removes Versions that a Function no longer has, and modules that no
// Version has any more. What it can't remove the next start will. It needs r.mu.
func (r *Registry) prune(ctx context.Context, id functionID, versions []string) {
	for _, version := range versions {
		if err := r.removeVersion(ctx, versionsOf(id)+version); err != nil {
			r.cfg.Logger.Error("remove old version", "account", id.account, "function", id.name, "version", version, "err", err)
		}
	}
}

func (r *Registry) removeVersion(ctx context.Context, key string) error {
	e, err := r.cfg.Store.Get(ctx, key)
	if err != nil {
		return err
	}
	if err := r.cfg.Store.Delete(ctx, key, kv.DeleteOptions{}); err != nil {
		return err
	}
	digest := string(e.Metadata)
	if r.uses[digest]--; r.uses[digest] > 0 {
		return nil
	}
	delete(r.uses, digest)
	d, err := kv.ParseDigest(digest)
	if err != nil {
		return err
	}
	return r.cfg.Blobs.Delete(ctx, d)
}
