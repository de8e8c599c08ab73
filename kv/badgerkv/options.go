package badgerkv

import (
	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

const (
	// memtableSize is what Badger collects in memory before it writes a table.
	memtableSize = 8 << 20
	// inlineMax is the longest value kept in its head. Larger ones would make
	// listings, which read heads, slow.
	inlineMax = 1 << 10
	// valueThreshold is the length from which Badger keeps a record in its value
	// log. No head is that long, so heads never need the value log.
	valueThreshold = 32 << 10
	// valueLogFile is the size at which Badger begins the next file. It maps
	// twice that, and moving the map to make room for more would pull it from
	// under readers: so it is longer than the longest value with its key. Not by
	// much, because opening reads the last file, all of which is then resident.
	valueLogFile = 28 << 20
)

// WorkingSpace is what the database may take of the disk beyond what it holds, in
// bytes, until compactions and collections have given it back, about.
const WorkingSpace = 3 * (valueLogFile + memtableSize)

const (
	_ = uint(valueThreshold - 1 - entry.HeadSize - kv.MaxMetadata - inlineMax)
	_ = uint(valueLogFile - kv.MaxValue - kv.MaxKey - 64)
)

// options is the profile for a small footprint: Badger's defaults are made for
// machines with gigabytes to spare (83 MiB of heap for each of 5 memtables, a
// cache of 256 MiB).
func options(cfg Config) badger.Options {
	compactors := 2
	if cfg.idle {
		compactors = 0
	}
	return badger.DefaultOptions(cfg.Dir).
		WithSyncWrites(!cfg.NoSync).
		WithLogger(logger{cfg.Logger}).
		WithMetricsEnabled(false).
		WithMemTableSize(memtableSize).
		WithNumMemtables(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(4).
		WithNumCompactors(compactors).
		WithNumGoroutines(2).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLogFile).
		// Tables are read where they are mapped: no cache, no decompression.
		WithCompression(badgeroptions.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(16 << 20).
		// One stripe lock per key stands in for conflict detection.
		WithDetectConflicts(false).
		// Damage in a table is found by our own checksums, entry by entry; with
		// Badger's, one damaged bit hides all the keys of a block.
		WithChecksumVerificationMode(badgeroptions.NoVerification).
		// Without this, Badger trusts the lengths it finds in the value log, and
		// a damaged one makes it keep the lock of the file for ever.
		WithVerifyValueChecksum(true)
}
