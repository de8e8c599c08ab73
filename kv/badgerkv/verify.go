package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/mayfly-run/mayfly/kv"
)

// DamageError is a file of the database that is not as it was written. It wraps
// kv.ErrCorrupt.
type DamageError struct {
	File string // its name
	What string
	// Bit says that a single bit of a log is flipped, so that MendLogs can put it
	// back; Log that MendLogs can cut the log off there.
	Bit, Log bool
}

func (e *DamageError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.File, e.What) }

// Unwrap makes it one of kv.ErrCorrupt.
func (e *DamageError) Unwrap() error { return kv.ErrCorrupt }

// verify reads all tables before Badger does. A damaged one would hide keys, show
// values that were overwritten, and end the process when it is compacted: Badger
// finds it in a goroutine of its own, or not at all. It returns the first damage;
// verifyAll knows them all.
func verify(ctx context.Context, dir string) error {
	return verifyAll(ctx, dir, func(d *DamageError) error { return d })
}

// verifyAll calls damaged for each damaged file, until it returns an error.
func verifyAll(ctx context.Context, dir string, damaged func(*DamageError) error) error {
	tables, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new database
	}
	if d, ok := errors.AsType[*DamageError](err); ok {
		return damaged(d)
	}
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(tables)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := table.IDToFilename(id)
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = verifyTable(name, id, data)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = &DamageError{File: name, What: "it is missing"}
		}
		if d, ok := errors.AsType[*DamageError](err); ok {
			err = damaged(d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verifyTable compares the checksums of all blocks and of the index. Badger panics
// on some damage.
func verifyTable(name string, id uint64, data []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &DamageError{File: name, What: "its index leads nowhere"}
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{})
	if err == nil {
		err = t.VerifyChecksum()
	}
	if err != nil {
		return &DamageError{File: name, What: err.Error()}
	}
	return nil
}

// readManifest returns the tables of the database by number.
func readManifest(dir string) (map[uint64]badger.TableManifest, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, end, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, &DamageError{File: badger.ManifestFilename, What: err.Error()}
	}
	return m.Tables, checkTail(f.Name(), end)
}
