package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/runtime/datadir"
)

// Restore makes a new data directory of a backup. The directory is empty or
// missing. The whole backup is verified before anything is written; until the
// end, no node starts on the directory. Progress is told of, before what is done;
// it may be nil.
func Restore(ctx context.Context, file io.ReadSeeker, dir datadir.Dir, progress func(step string)) (backup.Summary, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if err := dir.CheckEmpty(); err != nil {
		return backup.Summary{}, err
	}
	progress("verifying")
	sum, err := backup.Verify(file)
	if err != nil {
		return sum, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return sum, fmt.Errorf("read backup again: %w", err)
	}
	progress("restoring")
	if err := dir.BeginRestore(); err != nil {
		return sum, err
	}
	if err := restoreInto(ctx, file, dir, sum.Header); err != nil {
		return sum, fmt.Errorf("%w; remove %s, which holds a part of the backup", err, dir)
	}
	return sum, dir.FinishRestore()
}

// restoreInto does not wait for the disk write by write: it is FinishRestore that
// makes everything durable.
func restoreInto(ctx context.Context, file io.Reader, dir datadir.Dir, h backup.Header) error {
	data, err := openStores(DataConfig{Dir: dir, Logger: slog.New(slog.DiscardHandler), After: h.After(time.Now()), NoSync: true})
	if err != nil {
		return err
	}
	_, err = backup.Restore(ctx, file, data.Store, data.Blobs)
	return errors.Join(err, data.Close())
}
