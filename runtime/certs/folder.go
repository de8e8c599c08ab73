package certs

import (
	"context"
	"sync"

	"golang.org/x/crypto/acme/autocert"
)

// folder keeps keys and certificates until it is closed. What a renewal brings that is
// under way at that time is written nowhere: the directory may be somebody else's by
// then, or gone.
type folder struct {
	autocert.DirCache

	mu     sync.RWMutex // guards closed, and who writes reads
	closed bool
}

// Put implements autocert.Cache.
func (f *folder) Put(ctx context.Context, name string, data []byte) error {
	return f.write(func() error { return f.DirCache.Put(context.WithoutCancel(ctx), name, data) })
}

// Delete implements autocert.Cache.
func (f *folder) Delete(ctx context.Context, name string) error {
	return f.write(func() error { return f.DirCache.Delete(context.WithoutCancel(ctx), name) })
}

// write needs work that ends before it returns, which that of DirCache does not when its
// context ends.
func (f *folder) write(work func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return errStopped
	}
	return work()
}

// close waits for what is being written.
func (f *folder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}
