package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
)

// restoring says that a restore into the cluster has begun, and may be begun again.
const restoring = "node/restoring"

// Restore brings a backup into a cluster whose nodes run, and in which nothing has been
// deployed or stored yet. One that was cut off is done again. A backup that is damaged, or
// whose secrets this node can't open, is refused before anything is written. The error is
// an *host.Error for what users can mend.
func (r *Registry) Restore(ctx context.Context, from io.ReadSeeker) (backup.Summary, error) {
	if r.cluster == nil {
		return backup.Summary{}, host.Errorf(host.CodeUnsupported, "a node without a cluster is not restored while it runs: make a new data directory with mayfly restore FILE --data DIR")
	}
	sum, err := backup.Each(from, r.opensKey, nil)
	if errors.Is(err, backup.ErrDamaged) {
		err = host.Errorf(host.CodeInvalid, "%v", err)
	}
	if err != nil {
		return sum, err
	}
	return sum, r.exclusively(ctx, func(ctx context.Context) error { return r.bringIn(ctx, from) })
}

// opensKey is an error for a data key that the node's key does not open.
func (r *Registry) opensKey(e kv.Entry) error {
	account, isKey := strings.CutPrefix(e.Key, KeyRecords)
	if !isKey || r.cfg.Secrets == nil {
		return nil
	}
	if err := r.cfg.Secrets.Check(account, e.Value); err != nil {
		return host.Errorf(host.CodeInvalid, "%v", err)
	}
	return nil
}

// bringIn writes what Functions need before what names them: other nodes follow.
func (r *Registry) bringIn(ctx context.Context, from io.ReadSeeker) error {
	if err := r.nothingYet(ctx); err != nil {
		return err
	}
	if _, err := r.cfg.Store.Put(ctx, restoring, []byte(r.cluster.Node), kv.PutOptions{}); err != nil {
		return err
	}
	in := r.newMessagesIn()
	messages := func(e kv.Entry) error { return in.take(ctx, e) }
	put := func(functions bool) func(kv.Entry) error {
		return func(e kv.Entry) error {
			if strings.HasPrefix(e.Key, functionRecords) != functions || ofNodes(e) {
				return nil
			}
			_, err := r.cfg.Store.Put(ctx, e.Key, e.Value, kv.PutOptions{Metadata: e.Metadata, Expires: e.Expires})
			return err
		}
	}
	blob := func(data []byte) error {
		_, err := r.cfg.Blobs.Put(ctx, data)
		return err
	}
	for _, pass := range []struct {
		entry func(kv.Entry) error
		blob  func([]byte) error
	}{{nil, blob}, {put(false), nil}, {messages, nil}, {put(true), nil}} {
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := backup.Each(from, pass.entry, pass.blob); err != nil {
			return err
		}
		if err := in.flush(ctx); err != nil {
			return err
		}
	}
	return r.cfg.Store.Delete(ctx, restoring, kv.DeleteOptions{})
}

// nothingYet refuses a cluster that has been used.
func (r *Registry) nothingYet(ctx context.Context) error {
	if _, err := r.cfg.Store.Get(ctx, restoring); !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	for _, prefix := range []string{functionRecords, namespaceRecords, queueRecords, accountRecords, KeyRecords, userEntries} {
		page, err := r.cfg.Store.List(ctx, kv.ListOptions{Prefix: prefix, Limit: 1})
		if err != nil {
			return err
		}
		if len(page.Entries) > 0 {
			return host.Errorf(host.CodeConflict, "the cluster is in use: it has %s; restore into a new one", page.Entries[0].Key)
		}
	}
	return nil
}

// ofNodes reports whether an entry is about the nodes that there were, and of no use to
// others.
func ofNodes(e kv.Entry) bool {
	if hasPrefix(e.Key, nodesOwn()) || strings.HasPrefix(e.Key, MessageRecords) {
		return true
	}
	var t Token
	return strings.HasPrefix(e.Key, tokenRecords) && json.Unmarshal(e.Value, &t) == nil && t.File
}
