package node

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/fileblob"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/space"
	"github.com/mayfly-run/mayfly/runtime/datadir"
)

// leastReserve is the smallest reserve of disk space, in bytes. Opening takes a
// third of it.
const leastReserve = badgerkv.WorkingSpace

// Data is a data directory that is open; no other process can open it meanwhile.
type Data struct {
	Store kv.Store
	Blobs kv.Blobs
	Guard *space.Guard // of Store and Blobs
	store *badgerkv.Store

	shared *natskv.Store      // behind Store, in a cluster
	server *natsserver.Server // of this node, if it has one
}

// DataConfig says which data directory to open. Dir is required.
type DataConfig struct {
	Dir     datadir.Dir
	Reserve int64        // see Config.Reserve
	Logger  *slog.Logger // default: discard
	// After and NoSync are those of badgerkv.Config, for a restore.
	After  uint64
	NoSync bool
}

// OpenData opens what is durable in a data directory. A directory that is new
// becomes one. Its errors say what to do.
func OpenData(cfg DataConfig) (*Data, error) {
	if exists(cfg.Dir.Copy()) {
		return nil, fmt.Errorf("open data directory %s: it is of a node of a cluster: start that with its [cluster], or take a directory of its own for a node without one", cfg.Dir)
	}
	if err := cfg.Dir.Claim(); err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", cfg.Dir, err)
	}
	return openStores(cfg)
}

func openStores(cfg DataConfig) (_ *Data, err error) {
	d := &Data{}
	d.Guard, err = space.New(space.Config{
		Dir: string(cfg.Dir), Reserve: cfg.Reserve, Least: leastReserve, Refused: func() { d.store.Reclaim() }})
	if err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", cfg.Dir, err)
	}
	if need := int64(leastReserve / 3); !d.Guard.Has(need) {
		return nil, fmt.Errorf("open data directory %s: %d MiB are free on its volume, and the database needs %d to open; free some: %w",
			cfg.Dir, d.Guard.Free()>>20, need>>20, kv.ErrNoSpace)
	}
	d.store, err = badgerkv.Open(badgerkv.Config{Dir: cfg.Dir.KV(), Logger: cfg.Logger, After: cfg.After, NoSync: cfg.NoSync})
	if err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", cfg.Dir, err)
	}
	blobs, err := fileblob.Open(cfg.Dir.Blobs())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", cfg.Dir, err), d.store.Close())
	}
	d.Store, d.Blobs = d.Guard.Store(d.store), d.Guard.Blobs(blobs)
	return d, nil
}

// Close closes the store; it takes as long as writing what is in memory.
func (d *Data) Close() (err error) {
	if d.store != nil {
		err = d.store.Close()
	}
	if d.shared != nil {
		err = errors.Join(err, d.shared.Close())
	}
	if d.server != nil {
		err = errors.Join(err, d.server.Close())
	}
	return err
}
