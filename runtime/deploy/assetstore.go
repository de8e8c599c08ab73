package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// assetID names a file, or a manifest, of an account: by the hash that the account's
// clients made of the file, or the digest of the manifest.
type assetID struct{ account, name string }

func (id assetID) key() string { return id.account + "/" + id.name }

// assetStore is what the accounts have of static files. Its records are
//
//	node/assets/<account>/<hash>       a file
//	node/manifests/<account>/<digest>  a manifest
//
// each with an assets.File as metadata, whose blobs it uses. What no Version and no
// session has is removed by Registry.sweepAssets.
type assetStore struct {
	mu        sync.Mutex // guards what follows; taken after Registry.mu
	files     map[assetID]assets.File
	manifests map[assetID]assets.File
	sessions  map[sessionKey]*assetSession
	known     map[string]bool // accounts that have, or had, any
	unswept   map[string]bool // accounts
	begun     int             // sessions
	// generation changes with all that may have become used.
	generation int
	shared     bool // with other nodes

	wake chan struct{} // capacity 1: something is unswept
}

func newAssetStore(shared bool) *assetStore {
	return &assetStore{shared: shared, files: map[assetID]assets.File{}, manifests: map[assetID]assets.File{}, sessions: map[sessionKey]*assetSession{},
		known: map[string]bool{}, unswept: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// of is where the entries of one kind of record are.
func (s *assetStore) of(records string) map[assetID]assets.File {
	if records == manifestRecords {
		return s.manifests
	}
	return s.files
}

// use reports whether a manifest is there, for a Version that is about to have it.
func (s *assetStore) use(account string, manifest kv.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	_, ok := s.manifests[assetID{account, manifest.String()}]
	return ok
}

func (s *assetStore) file(account, hash string) (assets.File, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.files[assetID{account, hash}]
	return f, ok
}

// loadAssets reads the records, and counts the blobs that they use.
func (r *Registry) loadAssets(ctx context.Context) error {
	for _, records := range []string{assetRecords, manifestRecords} {
		err := keys(ctx, r.cfg.Store, records, func(e kv.Entry) error {
			account, name, _ := strings.Cut(strings.TrimPrefix(e.Key, records), "/")
			f, err := parseAsset(e.Metadata)
			if err != nil {
				return fmt.Errorf("read record %s: %w", e.Key, err)
			}
			r.files.of(records)[assetID{account, name}] = f
			r.files.known[account], r.files.unswept[account] = true, true
			for _, d := range blobsOf(f) {
				r.hold(d.String())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func parseAsset(metadata []byte) (f assets.File, err error) {
	err = json.Unmarshal(metadata, &f)
	return f, err
}

// blobsOf are the digests of a file and its smaller forms.
func blobsOf(f assets.File) []kv.Digest {
	list := []kv.Digest{f.Digest}
	for _, e := range f.Encoded {
		list = append(list, e.Digest)
	}
	return list
}

// ownBytes is what is stored of a file: beyond its bytes, the account. So no two
// accounts have a blob in common, and none can find out, from how long an upload
// takes, what another one has.
func ownBytes(account string, data []byte) []byte {
	return append(append(data[:len(data):len(data)], "\nmayfly account "...), account...)
}

// storeFile stores the blobs of a file and its record. The blobs are counted before
// they are there, so that nobody else removes them.
func (r *Registry) storeFile(ctx context.Context, records string, id assetID, f assets.File, blobs [][]byte) error {
	metadata, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode asset: %w", err)
	}
	digests := blobsOf(f)
	r.holdAll(digests)
	for _, data := range blobs {
		if _, err := r.cfg.Blobs.Put(ctx, data); err != nil {
			return errors.Join(fmt.Errorf("store asset: %w", err), r.releaseAll(ctx, digests))
		}
	}
	_, err = r.cfg.Store.Put(ctx, records+id.key(), nil, kv.PutOptions{Metadata: metadata, If: kv.IfRevision(0)})
	if errors.Is(err, kv.ErrConflict) { // it is there already
		return errors.Join(r.releaseAll(ctx, digests), r.findFile(ctx, records+id.key()))
	}
	if err != nil { // it may have been written all the same
		return errors.Join(fmt.Errorf("store asset: %w", err), r.unstoreFile(ctx, records+id.key(), digests))
	}
	if err := r.rescue(ctx, false, blobs...); err != nil {
		return err
	}
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	r.files.of(records)[id] = f
	r.files.known[id.account] = true
	return nil
}

// unstoreFile takes back a record that was perhaps written. Where it may be another
// node's, it stays until it is found that nobody uses it.
func (r *Registry) unstoreFile(ctx context.Context, key string, digests []kv.Digest) error {
	if r.cluster != nil {
		return nil
	}
	if err := r.cfg.Store.Delete(context.WithoutCancel(ctx), key, kv.DeleteOptions{}); err != nil {
		return err
	}
	return r.releaseAll(ctx, digests)
}
