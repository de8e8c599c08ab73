package backup

import (
	"context"
	"fmt"
	"io"

	"github.com/mayfly-run/mayfly/kv"
)

// Restore writes what is in a backup into a store and blobs, which are empty;
// nobody else uses them. Entries keep their metadata and expiry, and get new
// revisions: open the store so that they begin after Header.After. What has
// expired meanwhile is left out. Verify the backup first, because what comes
// before the damage is written.
func Restore(ctx context.Context, from io.Reader, store kv.Store, blobs kv.Blobs) (Summary, error) {
	s, err := read(from, visitor{
		header: func(Header) error { return empty(ctx, store) },
		entry: func(e kv.Entry) error {
			_, err := store.Put(ctx, e.Key, e.Value, kv.PutOptions{Metadata: e.Metadata, Expires: e.Expires})
			return err
		},
		blob: func(_ kv.Digest, data []byte) error {
			_, err := blobs.Put(ctx, data)
			return err
		},
	})
	if err != nil {
		return s, fmt.Errorf("restore backup: %w", err)
	}
	return s, nil
}

func empty(ctx context.Context, store kv.Store) error {
	page, err := store.List(ctx, kv.ListOptions{Limit: 1})
	if err == nil && len(page.Entries) > 0 {
		return fmt.Errorf("the store is not empty: it has %q", page.Entries[0].Key)
	}
	return err
}
