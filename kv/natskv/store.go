package natskv

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv"
)

// Store is a kv.Store, kv.Viewer, kv.Syncer and kv.StrongReader on a stream.
type Store struct {
	kv.Store
	conn *nats.Conn
}

// Blobs keeps blobs in the same cluster.
func (s *Store) Blobs() kv.Blobs { return nil }

// Sync implements kv.Syncer.
func (s *Store) Sync(ctx context.Context) error { return errors.ErrUnsupported }

// GetStrong implements kv.StrongReader.
func (s *Store) GetStrong(ctx context.Context, key string) (kv.Entry, error) {
	return kv.Entry{}, errors.ErrUnsupported
}

// View implements kv.Viewer.
func (s *Store) View(ctx context.Context) (kv.View, error) { return nil, errors.ErrUnsupported }

// Connected reports whether the copy is kept current and writes are taken.
func (s *Store) Connected() bool { return s.Status().Connected }

// Status says how the copy is.
func (s *Store) Status() Status { return Status{} }

// Conn is the connection, for what else is kept in the cluster.
func (s *Store) Conn() *nats.Conn { return s.conn }
