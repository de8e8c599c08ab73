package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// How blobs go in a cluster. Each step is a write that compares revisions, so that no
// clock and no delay of a copy matters:
//
//  1. Who takes the last record of a blob away, as far as it knows, writes a mark.
//  2. After Cluster.Grace the node with the duties has the lease for changes, and with
//     it all records of before. If one names the blob, it takes the mark away. Otherwise
//     it turns the mark into one that the blob is being removed, removes it, and then
//     the mark.
//  3. Who stores a blob writes its record next, and looks at the mark last. One that is
//     still there is taken away, and then step 2 fails. If the blob is being removed
//     already, it is stored again once that is over.
//
// A record that was written before step 2 is seen there. One that was written later
// comes with a copy that has the mark, since that is older.

// garbage is the mark of a blob that perhaps nothing names.
type garbage struct {
	Since    time.Time `json:"since"`
	Removing bool      `json:"removing,omitempty"`
}

// collectInterval is how often marks are looked at; if Cluster.Grace is less, it is that.
const collectInterval = 10 * time.Minute

// suspect marks a blob.
func (r *Registry) suspect(ctx context.Context, d kv.Digest) error {
	_, err := write(ctx, r.cfg.Store, garbageRecords+d.String(), garbage{Since: r.now()}, kv.PutOptions{If: kv.IfRevision(0), Frees: true})
	if errors.Is(err, kv.ErrConflict) { // it has a mark
		return nil
	}
	return err
}

// rescue makes sure that blobs stay of which a record was written just now. locked says
// that the caller has the lease for changes.
func (r *Registry) rescue(ctx context.Context, locked bool, blobs ...[]byte) error {
	if r.cluster == nil {
		return nil
	}
	for _, data := range blobs {
		if data == nil {
			continue
		}
		if err := r.rescueBlob(ctx, locked, data); err != nil {
			return fmt.Errorf("keep blob: %w", err)
		}
	}
	return nil
}

func (r *Registry) rescueBlob(ctx context.Context, locked bool, data []byte) error {
	key := garbageRecords + kv.DigestOf(data).String()
	for {
		mark, revision, err := read[garbage](ctx, r.cfg.Store, key)
		switch {
		case errors.Is(err, kv.ErrNotFound):
			return nil
		case err != nil:
			return err
		case mark.Removing && locked:
			return r.storeAgain(ctx, data, key)
		case mark.Removing:
			return r.exclusively(ctx, func(ctx context.Context) error { return r.storeAgain(ctx, data, key) })
		}
		err = r.cfg.Store.Delete(ctx, key, kv.DeleteOptions{If: kv.IfRevision(revision)})
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if err := kv.Sync(ctx, r.cfg.Store); err != nil {
			return err
		}
	}
}

// storeAgain needs the lease for changes: nobody removes anything meanwhile.
func (r *Registry) storeAgain(ctx context.Context, data []byte, mark string) error {
	if _, err := r.cfg.Blobs.Put(ctx, data); err != nil {
		return err
	}
	return r.cfg.Store.Delete(ctx, mark, kv.DeleteOptions{})
}

// collectGarbageOfAll removes what no node needs, while this one has the duties, until
// ctx ends.
func (r *Registry) collectGarbageOfAll(ctx context.Context) {
	every := min(collectInterval, r.cluster.Grace)
	seen := leftovers{}
	for ctx.Err() == nil {
		r.pause(ctx, every)
		if !r.leads() || ctx.Err() != nil {
			continue
		}
		err := r.collectLeftovers(ctx, &seen)
		if err == nil {
			err = r.removeGarbage(ctx)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrUnavailable) {
			r.cfg.Logger.Error("collect garbage", "err", err)
		}
	}
}

// removeGarbage removes the blobs whose marks are old enough and that nothing names.
func (r *Registry) removeGarbage(ctx context.Context) error {
	var due []string
	err := keys(ctx, r.cfg.Store, garbageRecords, func(e kv.Entry) error {
		mark, _, err := read[garbage](ctx, r.cfg.Store, e.Key)
		if err == nil && r.now().Sub(mark.Since) >= r.cluster.Grace {
			due = append(due, e.Key)
		}
		if errors.Is(err, kv.ErrNotFound) { // it was rescued just now
			return nil
		}
		return err
	})
	for err == nil && len(due) > 0 && ctx.Err() == nil {
		batch := due[:min(sweepBatch, len(due))]
		due = due[len(batch):]
		err = r.exclusively(ctx, func(ctx context.Context) error { return r.removeMarked(ctx, batch) })
	}
	return err
}

// removeMarked needs r.mu.
func (r *Registry) removeMarked(ctx context.Context, marks []string) error {
	if page, err := r.cfg.Store.List(ctx, kv.ListOptions{Prefix: freezeRecords, Limit: 1}); err != nil || len(page.Entries) > 0 {
		return err // somebody makes a backup
	}
	named, err := r.named(ctx)
	if err != nil {
		return err
	}
	for _, key := range marks {
		_, revision, err := read[garbage](ctx, r.cfg.Store, key)
		if err == nil {
			err = r.removeBlob(ctx, key, revision, named)
		}
		if err != nil && !errors.Is(err, kv.ErrConflict) && !errors.Is(err, kv.ErrNotFound) { // those were rescued
			return err
		}
	}
	return nil
}

// removeBlob removes a marked blob that nothing names, or else the mark.
func (r *Registry) removeBlob(ctx context.Context, key string, revision uint64, named map[string]bool) error {
	digest := strings.TrimPrefix(key, garbageRecords)
	if named[digest] {
		return r.cfg.Store.Delete(ctx, key, kv.DeleteOptions{If: kv.IfRevision(revision)})
	}
	d, err := kv.ParseDigest(digest)
	if err != nil {
		return err
	}
	revision, err = write(ctx, r.cfg.Store, key, garbage{Since: r.now(), Removing: true}, kv.PutOptions{If: kv.IfRevision(revision), Frees: true})
	if err != nil {
		return err
	}
	if err := r.cfg.Blobs.Delete(ctx, d); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	return r.cfg.Store.Delete(ctx, key, kv.DeleteOptions{If: kv.IfRevision(revision)})
}

// named are the digests of all blobs that records name.
func (r *Registry) named(ctx context.Context) (map[string]bool, error) {
	all := map[string]bool{}
	for _, prefix := range []string{versionRecords, snapshotRecords} {
		err := keys(ctx, r.cfg.Store, prefix, func(e kv.Entry) error {
			all[string(e.Metadata)] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, prefix := range []string{assetRecords, manifestRecords} {
		err := keys(ctx, r.cfg.Store, prefix, func(e kv.Entry) error {
			f, err := parseAsset(e.Metadata)
			for _, d := range blobsOf(f) {
				all[d.String()] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
