package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// leftovers are records that belong to no Function, by key. What another node writes
// at this moment looks the same; so it has to stay like that for Cluster.Grace.
type leftovers map[string]leftover

type leftover struct {
	revision uint64
	since    time.Time
}

// collectLeftovers removes what changes have left behind that came to no end, and marks
// blobs that nothing names. seen is what was found the last time.
func (r *Registry) collectLeftovers(ctx context.Context, seen *leftovers) error {
	found, err := r.findLeftovers(ctx)
	if err != nil {
		return err
	}
	var due []string
	for key, l := range found {
		if before := (*seen)[key]; before.revision == l.revision {
			found[key] = before
			l = before
		}
		if r.now().Sub(l.since) >= r.cluster.Grace {
			due = append(due, key)
		}
	}
	*seen = found
	if len(due) > 0 {
		err = r.exclusively(ctx, func(ctx context.Context) error { return r.removeLeftovers(ctx, due, found) })
	}
	return errors.Join(err, r.suspectUnnamed(ctx))
}

func (r *Registry) findLeftovers(ctx context.Context) (leftovers, error) {
	found := leftovers{}
	for _, prefix := range []string{versionRecords, snapshotRecords, secretRecords} {
		err := keys(ctx, r.cfg.Store, prefix, func(e kv.Entry) error {
			found[e.Key] = leftover{e.Revision, r.now()}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	s := r.current.Load() // later than the list: what that has of a Function is not missed
	for key := range found {
		if s.belongs(key) {
			delete(found, key)
		}
	}
	return found, nil
}

// belongs says whether a Function has a record.
func (s *snapshot) belongs(key string) bool {
	if path, ok := strings.CutPrefix(key, secretRecords); ok {
		account, rest, _ := strings.Cut(path, "/")
		name, value, _ := strings.Cut(rest, "/")
		d := s.functions[functionID{account, name}]
		return d != nil && d.values()[value]
	}
	path, ok := strings.CutPrefix(key, versionRecords)
	if !ok {
		path = strings.TrimPrefix(key, snapshotRecords)
	}
	return s.hasVersion(path)
}

// removeLeftovers needs r.mu.
func (r *Registry) removeLeftovers(ctx context.Context, due []string, found leftovers) error {
	s := r.current.Load()
	for _, key := range due {
		if s.belongs(key) {
			continue
		}
		r.cfg.Logger.Info("remove leftover record", "key", key)
		err := r.removeRecordAt(ctx, key, kv.IfRevision(found[key].revision))
		if err != nil && !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
	return nil
}

// suspectUnnamed marks blobs that no record names.
func (r *Registry) suspectUnnamed(ctx context.Context) error {
	blobs, err := r.cfg.Blobs.List(ctx)
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	named, err := r.named(ctx) // later than the list
	if err != nil {
		return err
	}
	for _, d := range blobs {
		if named[d.String()] {
			continue
		}
		if err := r.suspect(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
