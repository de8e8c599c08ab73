package badgerkv

import (
	"context"
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// discardRatio is the part of a value log file that must be garbage before the
// rest is moved and the file deleted; Badger's own recommendation.
const discardRatio = 0.5

// collect reclaims value log files until ctx ends.
func (s *Store) collect(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.collectOnce(ctx)
		}
	}
}

// collectOnce goes on, one file after another, while there is one worth it.
func (s *Store) collectOnce(ctx context.Context) {
	// The snapshot keeps the marks of deletions that are made meanwhile. If a
	// compaction dropped one while its value is being moved, the key would come
	// back.
	snapshot := s.revisions.snapshot()
	defer s.revisions.release(snapshot)
	for ctx.Err() == nil {
		err := s.db.RunValueLogGC(discardRatio)
		if errors.Is(err, badger.ErrNoRewrite) {
			return
		}
		if err != nil {
			s.log.Error("collect value log", "error", err)
			return
		}
	}
}
