// Package entry is how stores that keep bytes write an entry: a record that
// says by itself whether it is whole and belongs to its key, because the
// databases below do not (Badger returns damaged values, and empty ones, with
// a nil error).
//
//	offset  size  field (integers are big-endian)
//	     0     2  magic "mf"
//	     2     1  version, 1
//	     3     1  flags: bit 0: the value follows in the record
//	     4     8  revision
//	    12     8  expiry, milliseconds since the Unix epoch; 0: never
//	    20     4  length of the metadata
//	    24     4  length of the value
//	    28     4  CRC32C of revision, value, key
//	    32     4  CRC32C of bytes 0 to 31, metadata, key
//	    36        metadata, then the value if flag 0 is set
//
// The second checksum lets a listing trust a head without reading the value;
// the first one binds the value, wherever it is kept, to one write of one key.
//
// Why CRC32C: it finds every single flipped bit and every burst of up to 32,
// and runs at memory speed on the processor's own instruction. What it cannot
// find: a change made on purpose (it has no secret), other damage once in 2^32
// times, an older record of the same key put back whole, and a record that is
// gone altogether.
package entry

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// HeadSize is the length in bytes of a record without metadata and value.
const HeadSize = 36

const (
	magic       = 'm'<<8 | 'f'
	version     = 1
	flagInline  = 1
	offRevision = 4
	offExpires  = 12
	offMetaLen  = 20
	offValueLen = 24
	offValueSum = 28
	offHeadSum  = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Head is a record's content but for a value that is kept elsewhere. Its slices
// are parts of the record it was decoded from, and nil when empty.
type Head struct {
	Revision uint64
	Expires  time.Time // zero: never
	Metadata []byte
	Inline   bool   // the value was in the record: Value
	Value    []byte // not yet checked: see CheckValue

	valueLen, valueSum uint32
}

// Encode returns the record of e. Without inline the caller keeps e.Value
// elsewhere. Metadata and value are shorter than 4 GiB.
func Encode(e kv.Entry, inline bool) []byte {
	size := HeadSize + len(e.Metadata)
	if inline {
		size += len(e.Value)
	}
	b := make([]byte, HeadSize, size)
	binary.BigEndian.PutUint16(b, magic)
	b[2] = version
	if inline {
		b[3] = flagInline
	}
	binary.BigEndian.PutUint64(b[offRevision:], e.Revision)
	if !e.Expires.IsZero() {
		binary.BigEndian.PutUint64(b[offExpires:], uint64(e.Expires.UnixMilli()))
	}
	binary.BigEndian.PutUint32(b[offMetaLen:], uint32(len(e.Metadata)))
	binary.BigEndian.PutUint32(b[offValueLen:], uint32(len(e.Value)))
	binary.BigEndian.PutUint32(b[offValueSum:], valueSum(e.Revision, e.Value, e.Key))
	binary.BigEndian.PutUint32(b[offHeadSum:], headSum(b, e.Metadata, e.Key))
	b = append(b, e.Metadata...)
	if inline {
		b = append(b, e.Value...)
	}
	return b
}

// Decode reads the record of key and checks all of it but the value. The error
// wraps kv.ErrCorrupt.
func Decode(key string, record []byte) (Head, error) {
	if len(record) < HeadSize {
		return Head{}, corrupt(key, "record of %d bytes is too short", len(record))
	}
	metaLen := uint64(binary.BigEndian.Uint32(record[offMetaLen:]))
	rest := record[HeadSize:]
	if metaLen > uint64(len(rest)) {
		return Head{}, corrupt(key, "metadata is cut off")
	}
	metadata, value := rest[:metaLen:metaLen], rest[metaLen:]
	if headSum(record, metadata, key) != binary.BigEndian.Uint32(record[offHeadSum:]) {
		return Head{}, corrupt(key, "checksum of the head does not match")
	}
	return decodeFields(key, record, metadata, value)
}

// decodeFields comes after the checksum: what it refuses was written that way.
func decodeFields(key string, record, metadata, value []byte) (Head, error) {
	h := Head{
		Revision: binary.BigEndian.Uint64(record[offRevision:]),
		Metadata: metadata,
		Inline:   record[3] == flagInline,
		Value:    value,
		valueLen: binary.BigEndian.Uint32(record[offValueLen:]),
		valueSum: binary.BigEndian.Uint32(record[offValueSum:]),
	}
	ms := binary.BigEndian.Uint64(record[offExpires:])
	switch {
	case binary.BigEndian.Uint16(record) != magic:
		return Head{}, corrupt(key, "not an entry")
	case record[2] != version || record[3]&^flagInline != 0:
		return Head{}, corrupt(key, "format %d with flags %#x is newer than this program", record[2], record[3])
	case h.Revision == 0 || ms > math.MaxInt64:
		return Head{}, corrupt(key, "revision or expiry is out of range")
	case h.Inline && uint64(len(value)) != uint64(h.valueLen), !h.Inline && len(value) != 0:
		return Head{}, corrupt(key, "record has the wrong length")
	}
	if ms != 0 {
		h.Expires = time.UnixMilli(int64(ms))
	}
	if len(metadata) == 0 {
		h.Metadata = nil
	}
	if len(value) == 0 {
		h.Value = nil
	}
	return h, nil
}

// CheckValue reports whether value is the one that was written with h under
// key. The error wraps kv.ErrCorrupt.
func (h Head) CheckValue(key string, value []byte) error {
	if uint64(len(value)) != uint64(h.valueLen) {
		return corrupt(key, "value has %d bytes instead of %d", len(value), h.valueLen)
	}
	if valueSum(h.Revision, value, key) != h.valueSum {
		return corrupt(key, "checksum of the value does not match")
	}
	return nil
}

// The key comes last in both sums: the lengths of what precedes it are in the
// head, so no two splits of the same bytes have equal sums by construction.

func headSum(head, metadata []byte, key string) uint32 {
	sum := crc32.Update(0, castagnoli, head[:offHeadSum])
	sum = crc32.Update(sum, castagnoli, metadata)
	return crc32.Update(sum, castagnoli, []byte(key))
}

func valueSum(revision uint64, value []byte, key string) uint32 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], revision)
	sum := crc32.Update(0, castagnoli, b[:])
	sum = crc32.Update(sum, castagnoli, value)
	return crc32.Update(sum, castagnoli, []byte(key))
}

func corrupt(key, format string, args ...any) error {
	return fmt.Errorf("key %q: %s: %w", key, fmt.Sprintf(format, args...), kv.ErrCorrupt)
}
