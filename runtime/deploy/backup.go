package deploy

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
)

// Backup writes the node's records, the users' entries and the modules, all as of
// one moment. Deploys go on meanwhile; what they no longer need is kept on disk
// until the backup is done. Nothing was written if it is an error of the summary's
// zero value.
func (r *Registry) Backup(ctx context.Context, to io.Writer, software string) (backup.Summary, error) {
	view, thaw, err := r.freeze(ctx)
	if err != nil {
		return backup.Summary{}, fmt.Errorf("begin backup: %w", err)
	}
	defer thaw()
	return backup.Write(ctx, to, backupSource(view, r.cfg.Blobs, software))
}

// freeze returns the store as of one moment at which nothing is being deployed, and
// keeps all blobs until thaw is called.
func (r *Registry) freeze(ctx context.Context) (view kv.View, thaw func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if view, err = kv.ViewOf(ctx, r.cfg.Store); err != nil {
		return nil, nil, err
	}
	frozen := make([]string, 0, len(r.uses))
	for digest := range r.uses {
		r.uses[digest]++
		frozen = append(frozen, digest)
	}
	return view, func() { r.thaw(view, frozen) }, nil
}

func (r *Registry) thaw(view kv.View, frozen []string) {
	if err := view.Close(); err != nil {
		r.cfg.Logger.Error("end backup", "err", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, digest := range frozen {
		if err := r.release(context.Background(), digest); err != nil {
			r.cfg.Logger.Error("remove old blob", "digest", digest, "err", err)
		}
	}
}

// WriteBackup is Registry.Backup for a store that no node uses.
func WriteBackup(ctx context.Context, to io.Writer, store kv.Store, blobs kv.Blobs, software string) (backup.Summary, error) {
	view, err := kv.ViewOf(ctx, store)
	if err != nil {
		return backup.Summary{}, fmt.Errorf("begin backup: %w", err)
	}
	defer view.Close()
	return backup.Write(ctx, to, backupSource(view, blobs, software))
}

// backupSource is everything but Snapshots: they are of the code that one node has
// compiled, and are taken again.
func backupSource(view kv.View, blobs kv.Blobs, software string) backup.Source {
	return backup.Source{View: view, Blobs: blobs, Software: software, Select: func(e kv.Entry) (bool, []kv.Digest) {
		if strings.HasPrefix(e.Key, snapshotRecords) {
			return false, nil
		}
		if strings.HasPrefix(e.Key, assetRecords) || strings.HasPrefix(e.Key, manifestRecords) {
			f, err := parseAsset(e.Metadata)
			if err != nil {
				return true, nil
			}
			return true, blobsOf(f)
		}
		if !strings.HasPrefix(e.Key, versionRecords) {
			return true, nil
		}
		d, err := kv.ParseDigest(string(e.Metadata))
		if err != nil {
			return true, nil // doctor tells
		}
		return true, []kv.Digest{d}
	}}
}
