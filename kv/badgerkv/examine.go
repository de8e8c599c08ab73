package badgerkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/mayfly-run/mayfly/kv"
)

// Examiner gets what Examine finds.
type Examiner struct {
	File    func(*DamageError)            // a file that is damaged
	Entry   func(kv.Entry) error          // an entry that is whole; its error ends Examine
	Damaged func(key string, cause error) // an entry that is not
}

// Examine reads a whole database without changing it. The caller holds Lock(dir).
// scratch is an empty directory on the same volume, in which the database is
// opened: it takes some 100 MiB there, and is the caller's to remove. Damage that
// Badger does not expect can end the process. If tables are damaged, no entries are
// read: it can't be told then whether an entry is the newest of its key.
func Examine(ctx context.Context, dir, scratch string, e Examiner) error {
	bad := 0
	file := func(d *DamageError) error {
		bad++
		e.File(d)
		return nil
	}
	if err := verifyAll(ctx, dir, file); err != nil {
		return fmt.Errorf("examine tables: %w", err)
	}
	if err := verifyRegistry(dir); err != nil {
		file(&DamageError{File: badger.KeyRegistryFileName, What: err.Error()})
	}
	if bad > 0 {
		return nil
	}
	if err := verifyLogs(dir, e.File); err != nil {
		return fmt.Errorf("examine logs: %w", err)
	}
	if err := copyDatabase(dir, scratch); err != nil {
		return fmt.Errorf("examine database: %w", err)
	}
	s, err := Open(Config{Dir: scratch, NoSync: true, idle: true})
	if err != nil {
		e.File(&DamageError{File: "the database as a whole", What: err.Error()})
		return nil
	}
	// It is not closed: that would write, to a copy.
	return s.examine(ctx, e)
}

func verifyRegistry(dir string) error {
	_, err := os.Stat(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil // a new database
	}
	r, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: dir, ReadOnly: true})
	if err != nil {
		return err
	}
	return r.Close()
}

// verifyLogs looks through the value log, and the logs of what is in no table yet.
func verifyLogs(dir string, damaged func(*DamageError)) error {
	err := eachFile(dir, ".vlog", func(name string, data []byte) error {
		if damagedWithin(data) {
			damaged(&DamageError{File: name, What: "an entry of the value log is not whole; other entries behind it can still be read"})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return verifyRecent(dir, func(d *DamageError) error {
		damaged(d)
		return nil
	})
}

// copyDatabase links tables and what is complete of the value log, and copies the
// rest. Opening a database that neither compacts nor collects leaves what is linked
// as it is: it cuts off the end of the last file of the value log, which is copied,
// and empties those that have no entries, which are left out.
func copyDatabase(dir, to string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	last := ""
	var names []string
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return err
		}
		log := filepath.Ext(f.Name()) == ".vlog"
		if !info.Mode().IsRegular() || f.Name() == "LOCK" || log && info.Size() <= vlogHeader {
			continue
		}
		if log {
			last = f.Name()
		}
		names = append(names, f.Name())
	}
	for _, name := range names {
		from, to := filepath.Join(dir, name), filepath.Join(to, name)
		complete := strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".vlog") && name != last
		if complete && os.Link(from, to) == nil {
			continue
		}
		if err := copyFile(from, to); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeHoles(to, data)
}

// writeHoles makes a file that has holes where there are zeros at its end: logs are
// mostly that. It is on disk afterwards.
func writeHoles(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.TrimRight(data, "\x00"))
	return errors.Join(err, f.Truncate(int64(len(data))), f.Sync(), f.Close())
}

// examine is view.Entries that goes on after damage.
func (s *Store) examine(ctx context.Context, e Examiner) error {
	v := &view{store: s, at: latest}
	return s.eachHead(latest, func(txn *badger.Txn, item *badger.Item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := string(item.Key()[len(headPrefix):])
		found, err := v.entry(txn, item)
		switch {
		case err == nil:
			return e.Entry(found)
		case !errors.Is(err, kv.ErrNotFound):
			e.Damaged(key, err)
		}
		return nil
	})
}
