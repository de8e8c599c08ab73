package memkv

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// Blobs is a kv.Blobs in memory.
type Blobs struct {
	mu    sync.RWMutex // guards blobs
	blobs map[kv.Digest][]byte
}

// NewBlobs returns an empty Blobs.
func NewBlobs() *Blobs { return &Blobs{blobs: map[kv.Digest][]byte{}} }

// Put implements kv.Blobs.
func (s *Blobs) Put(ctx context.Context, data []byte) (kv.Digest, error) {
	if err := ctx.Err(); err != nil {
		return kv.Digest{}, err
	}
	d := kv.DigestOf(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.blobs[d]; !ok {
		s.blobs[d] = bytes.Clone(data)
	}
	return d, nil
}

// Get implements kv.Blobs.
func (s *Blobs) Get(ctx context.Context, d kv.Digest) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	data, ok := s.blobs[d]
	if !ok {
		return nil, kv.ErrNotFound
	}
	return bytes.Clone(data), nil
}

// Delete implements kv.Blobs.
func (s *Blobs) Delete(ctx context.Context, d kv.Digest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blobs, d)
	return nil
}

// List implements kv.Blobs.
func (s *Blobs) List(ctx context.Context) ([]kv.Digest, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.blobs)), nil
}
