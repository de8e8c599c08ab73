package deploy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// PutAsset stores a file of a session. data may be written to afterwards.
func (r *Registry) PutAsset(ctx context.Context, token, hash string, data []byte, contentType string) error {
	s, err := r.knownSession(token)
	if err != nil {
		return err
	}
	if err := r.wanted(token, hash, len(data)); err != nil {
		return err
	}
	if len(contentType) > maxAssetType || strings.ContainsFunc(contentType, func(c rune) bool { return c < ' ' || c > '~' }) {
		return invalid("the type %.40q of a static file can't be a Content-Type", contentType)
	}
	if err := r.cfg.Room(2 * int64(len(data))); err != nil {
		return err
	}
	if _, there := r.files.file(s.Account, hash); !there {
		if err := r.storeAsset(ctx, assetID{s.Account, hash}, data, contentType); err != nil {
			return err
		}
	}
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	if now := r.files.sessions[sha256.Sum256([]byte(token))]; now != nil {
		delete(now.missing, hash)
	} else { // it ended meanwhile, and nobody has the file
		r.files.unswept[s.Account] = true
	}
	return nil
}

// wanted says whether a session has announced such a file. One that came already may
// come again, from a client that saw no answer.
func (r *Registry) wanted(token, hash string, size int) error {
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	s, err := r.session(token)
	if err != nil {
		return err
	}
	announced, ok := s.sizes[hash]
	switch {
	case !ok:
		return invalid("no static file with the hash %.40q was announced", hash)
	case announced != int64(size):
		return invalid("static file %s has %d bytes, and %d were announced; perhaps it was written to meanwhile", s.pathOf(hash), size, announced)
	}
	return nil
}

// pathOf is the path of a file with a hash.
func (s *assetSession) pathOf(hash string) string {
	for path, f := range s.files {
		if f.Hash == hash {
			return path
		}
	}
	return hash
}

func (r *Registry) storeAsset(ctx context.Context, id assetID, data []byte, contentType string) error {
	small, err := assets.Compress(data, contentType)
	if err != nil {
		return err
	}
	f := assets.File{Type: contentType, Content: assets.Content{Size: int64(len(data))}}
	blobs := [][]byte{ownBytes(id.account, data)}
	f.Digest = kv.DigestOf(blobs[0])
	for _, c := range small {
		own := ownBytes(id.account, c.Data)
		blobs = append(blobs, own)
		f.Encoded = append(f.Encoded, assets.Encoded{Encoding: c.Encoding, Content: assets.Content{Digest: kv.DigestOf(own), Size: int64(len(c.Data))}})
	}
	return r.storeFile(ctx, assetRecords, id, f, blobs)
}

// takeSession makes the manifest of a session whose files have all arrived. If it
// succeeds, finishAssets follows.
func (r *Registry) takeSession(ctx context.Context, account, function, token string, a *Assets) error {
	if err := r.findSession(ctx, token); err != nil {
		return err
	}
	m, err := r.manifestOf(account, function, token)
	if err != nil {
		return err
	}
	if err := r.storeManifest(ctx, account, token, m, a); err != nil {
		r.finishAssets(ctx, &UploadAssets{Session: token}, false)
		return err
	}
	return nil
}

func (r *Registry) storeManifest(ctx context.Context, account, token string, m assets.Manifest, a *Assets) error {
	a.Files, a.Bytes = len(m), 0
	for _, f := range m {
		a.Bytes += f.Size
	}
	data, err := assets.Encode(m)
	if err != nil {
		return fmt.Errorf("encode asset manifest: %w", err)
	}
	data = ownBytes(account, data)
	a.Manifest = kv.DigestOf(data)
	if err := r.keepForSession(token, a.Manifest); err != nil {
		return err
	}
	f := assets.File{Content: assets.Content{Digest: a.Manifest, Size: int64(len(data))}}
	return r.storeFile(ctx, manifestRecords, assetID{account, a.Manifest.String()}, f, [][]byte{data})
}

// keepForSession keeps a manifest as long as its session, before it is stored.
func (r *Registry) keepForSession(token string, manifest kv.Digest) error {
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	s, err := r.session(token)
	if err != nil {
		return err
	}
	if !slices.Contains(s.manifests, manifest) {
		s.manifests = append(s.manifests, manifest)
	}
	return nil
}

// manifestOf makes the list of a session's files, and keeps the session until
// finishAssets.
func (r *Registry) manifestOf(account, function, token string) (assets.Manifest, error) {
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	s, err := r.session(token)
	switch {
	case err != nil:
		return nil, err
	case s.account != account || s.function != function:
		return nil, invalid("these static files were uploaded for another Function")
	case len(s.missing) > 0:
		return nil, invalid("%d static files of this upload have not arrived", len(s.missing))
	}
	m := make(assets.Manifest, len(s.files))
	for path, f := range s.files {
		file, there := r.files.files[assetID{account, f.Hash}]
		if !there {
			return nil, fmt.Errorf("asset %s of a session is gone", f.Hash)
		}
		m[path] = file
	}
	s.using++
	return m, nil
}
