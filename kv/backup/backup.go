// Package backup writes a kv.Store and its kv.Blobs into one stream, and reads
// such a stream into others, of whatever implementation. Start reading at Write
// and Restore.
//
// A backup is a line and frames (integers are big-endian):
//
//	"mayfly backup 1\n"
//	frame:  1 byte kind, 4 bytes length n, 4 bytes CRC32C of these 5
//	        n bytes payload, 4 bytes CRC32C of them
//
//	kind  payload
//	'H'   first, once: Header as JSON
//	'E'   an entry: 8 bytes revision, 8 bytes expiry (milliseconds since the Unix
//	      epoch, 0: never), 4 bytes length of the key, 4 bytes length of the
//	      metadata, key, metadata, value; in ascending order of the keys
//	'B'   a blob, after all entries: its digest (32 bytes), its bytes
//	'Z'   last, once: 8 bytes number of entries, 8 bytes number of blobs, SHA-256 of
//	      all bytes before this frame
//
// The messages of queues are entries as well, as package storequeue has them in a Store;
// those of a cluster, which has them elsewhere, are written as if they were.
//
// A frame's checksums say where a file is damaged; the digest at the end says
// that it is whole, and that nobody took something out of it by accident. It is no
// signature.
package backup

import (
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

const (
	magic       = "mayfly backup "
	version     = "1"
	headSize    = 9
	sumSize     = 4
	entryFixed  = 24
	endSize     = 16 + 32
	maxHeader   = 64 << 10
	maxEntry    = entryFixed + kv.MaxKey + kv.MaxMetadata + kv.MaxValue
	maxBlob     = 2 << 30 // with its digest
	kindHeader  = 'H'
	kindEntry   = 'E'
	kindBlob    = 'B'
	kindEnd     = 'Z'
	maxExpiryMS = 1<<63 - 1
)

func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // the same one each time

// ErrDamaged: the stream is not a backup, or not whole. The text names the place.
var ErrDamaged = errors.New("backup is damaged")

// Header is what a backup says of itself.
type Header struct {
	Created  time.Time `json:"created"`
	Revision uint64    `json:"revision"` // the highest that the store had given
	Software string    `json:"software"` // that wrote it; may be empty
}

// spareRevisions is how many writes the store of a backup may have done after it,
// if clocks can't be trusted.
const spareRevisions = 1 << 32

// After is the revision after which those of a store begin that is restored at
// now. They are higher than any that the store of the backup, or one restored
// from it earlier, has given: of 65,536 writes a second since 1970 no store has
// done more. They stay below 2^53 until the year 6325, so that any JSON reader
// keeps them exactly.
func (h Header) After(now time.Time) uint64 {
	return max(h.Revision+spareRevisions, uint64(max(now.Unix(), 0))<<16)
}

// Summary is what a backup holds.
type Summary struct {
	Header
	Entries int64 `json:"entries"`
	Blobs   int64 `json:"blobs"`
	Bytes   int64 `json:"bytes"` // of the whole stream
}

func damaged(offset int64, format string, args ...any) error {
	return fmt.Errorf("byte %d: %s: %w", offset, fmt.Sprintf(format, args...), ErrDamaged)
}
