package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/mayfly-run/mayfly/kv"
)

// Where the node's records are in its store. Below kv/ are the users' entries.
const (
	functionRecords  = "node/functions/"  // <account>/<name>: Function
	versionRecords   = "node/versions/"   // <account>/<name>/<id>: Version, with the digest as metadata
	snapshotRecords  = "node/snapshots/"  // <account>/<name>/<id of a Version>: snapshotEntry, with the digest as metadata
	namespaceRecords = "node/namespaces/" // <id>: Namespace
	queueRecords     = "node/queues/"     // <id>: Queue
	assetRecords     = "node/assets/"     // <account>/<hash>: none, with an assets.File as metadata
	manifestRecords  = "node/manifests/"  // <account>/<digest>: the same
	accountRecords   = "node/accounts/"   // <name>: Account
	tokenRecords     = "node/tokens/"     // <id>: Token
	secretRecords    = "node/secrets/"    // <account>/<function>/<name>/<id>: sealed
	// Those of a cluster:
	sessionRecords = "node/asset-sessions/" // <SHA-256 of its token>: sessionRecord
	arrivalRecords = "node/arrivals/"       // <digest of a module>: the node that deploys it
	garbageRecords = "node/garbage/"        // <digest of a blob>: garbage
	freezeRecords  = "node/freezes/"        // <id>: none; blobs stay while there is one
	outcomeRecords = "node/outcomes/"       // <id of a Deployment>/<node>: measured
	lockRecords    = "node/locks/"          // <what for>: see package lease
	// KeyRecords is where the data keys of accounts are, for the Keyring.
	KeyRecords  = "node/keys/" // <account>: sealed
	userEntries = "kv/"        // <namespace>/<key>
)

func functionRecord(id functionID) string { return functionRecords + id.account + "/" + id.name }

// versionsOf is where the Versions of a Function are.
func versionsOf(id functionID) string { return versionRecords + id.account + "/" + id.name + "/" }

func versionRecord(id functionID, version string) string { return versionsOf(id) + version }

func snapshotRecord(id functionID, version string) string {
	return snapshotRecords + id.account + "/" + id.name + "/" + version
}

// read returns a record and its revision.
func read[T any](ctx context.Context, s kv.Store, key string) (record T, revision uint64, err error) {
	e, err := s.Get(ctx, key)
	if err != nil {
		return record, 0, fmt.Errorf("read record %s: %w", key, err)
	}
	if err := json.Unmarshal(e.Value, &record); err != nil {
		return record, 0, fmt.Errorf("read record %s: %w", key, err)
	}
	return record, e.Revision, nil
}

// write stores a record and returns its revision.
func write(ctx context.Context, s kv.Store, key string, record any, opts kv.PutOptions) (uint64, error) {
	data, err := json.Marshal(record)
	if err != nil {
		return 0, fmt.Errorf("write record %s: %w", key, err)
	}
	if before, getErr := s.Get(ctx, key); getErr == nil { // otherwise there is nothing to keep
		if data, err = withUnknown(before.Value, data, reflect.TypeOf(record)); err != nil {
			return 0, fmt.Errorf("write record %s: %w", key, err)
		}
	}
	revision, err := s.Put(ctx, key, data, opts)
	if err != nil {
		return 0, fmt.Errorf("write record %s: %w", key, err)
	}
	return revision, nil
}

// keys calls do for every key that begins with prefix, without its value. do may
// remove the key.
func keys(ctx context.Context, s kv.Store, prefix string, do func(kv.Entry) error) error {
	opts := kv.ListOptions{Prefix: prefix}
	for {
		page, err := s.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, e := range page.Entries {
			if err := do(e); err != nil {
				return err
			}
		}
		if page.Cursor == "" {
			return nil
		}
		opts.Cursor = page.Cursor
	}
}

// records calls do for every record that begins with prefix.
func records[T any](ctx context.Context, s kv.Store, prefix string, do func(record T, revision uint64) error) error {
	return keys(ctx, s, prefix, func(e kv.Entry) error {
		record, revision, err := read[T](ctx, s, e.Key)
		if err != nil {
			return err
		}
		return do(record, revision)
	})
}

// putRecord writes a record over the one that the snapshot has, and then publishes it
// with next, where the record's own map has it already. It needs r.mu.
func (r *Registry) putRecord(ctx context.Context, next *snapshot, key string, record any, frees bool) error {
	revision, err := write(ctx, r.cfg.Store, key, record, kv.PutOptions{If: kv.IfRevision(next.revisions[key]), Frees: frees})
	if err != nil { // it may have been written all the same
		return errors.Join(err, r.refresh(ctx, key))
	}
	next.revisions[key] = revision
	r.publish(next)
	return nil
}

// deleteRecord removes a record that the snapshot has, also from its revisions; the
// record's own map is the caller's. It needs r.mu.
func (r *Registry) deleteRecord(ctx context.Context, next *snapshot, key string) error {
	err := r.cfg.Store.Delete(ctx, key, kv.DeleteOptions{If: kv.IfRevision(next.revisions[key])})
	if err != nil {
		return errors.Join(err, r.refresh(ctx, key))
	}
	delete(next.revisions, key)
	return nil
}
