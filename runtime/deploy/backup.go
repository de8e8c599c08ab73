package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
)

// Backup writes the node's records, the users' entries and the modules, all as of
// one moment, and the messages of queues: in a cluster those that there are while they
// are written. Deploys go on meanwhile; what they no longer need is kept on disk
// until the backup is done. Nothing was written if it is an error of the summary's
// zero value.
func (r *Registry) Backup(ctx context.Context, to io.Writer, software string) (backup.Summary, error) {
	view, thaw, err := r.freeze(ctx)
	if err != nil {
		return backup.Summary{}, fmt.Errorf("begin backup: %w", err)
	}
	defer thaw()
	if queues, elsewhere := r.cfg.Queues.(kv.QueueCopier); elsewhere {
		view = withMessages{view, r, queues}
	}
	return backup.Write(ctx, to, backupSource(view, r.cfg.Blobs, software))
}

// freeze returns the store as of one moment at which nothing is being deployed, and
// keeps all blobs until thaw is called.
func (r *Registry) freeze(ctx context.Context) (view kv.View, thaw func(), err error) {
	if r.cluster != nil {
		return r.freezeCluster(ctx)
	}
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

// freezeTime is how long a backup may take in a cluster.
const freezeTime = 24 * time.Hour

// freezeCluster tells the other nodes to keep all blobs.
func (r *Registry) freezeCluster(ctx context.Context) (view kv.View, thaw func(), err error) {
	key := freezeRecords + newUUID()
	err = r.exclusively(ctx, func(ctx context.Context) error {
		_, err := r.cfg.Store.Put(ctx, key, []byte(r.cluster.Node), kv.PutOptions{Expires: r.cfg.Now().Add(freezeTime), Frees: true})
		if err == nil {
			view, err = kv.ViewOf(ctx, r.cfg.Store)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return view, func() {
		err := errors.Join(view.Close(), r.cfg.Store.Delete(context.WithoutCancel(ctx), key, kv.DeleteOptions{}))
		if err != nil { // the record expires
			r.cfg.Logger.Error("end backup", "err", err)
		}
	}, nil
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

// nodesOwn is where entries are that mean nothing elsewhere: what nodes tell each
// other, and Snapshots of the code that one of them has compiled.
func nodesOwn() []string {
	return []string{snapshotRecords, sessionRecords, arrivalRecords, garbageRecords, freezeRecords, outcomeRecords, lockRecords, restoring,
		"node/nodes/", "node/drains/", "node/leases/", "node/cluster"}
}

func hasPrefix(key string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// backupSource is everything but nodesOwn.
func backupSource(view kv.View, blobs kv.Blobs, software string) backup.Source {
	return backup.Source{View: view, Blobs: blobs, Software: software, Select: func(e kv.Entry) (bool, []kv.Digest) {
		if hasPrefix(e.Key, nodesOwn()) {
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
