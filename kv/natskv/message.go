package natskv

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// A message is a record that says by itself whether it is whole and belongs to its
// key: damage in a server's files must not become another value.
//
//	offset  size  field (integers are big-endian)
//	     0     2  magic "mn"
//	     2     1  version, 1
//	     3     1  flags: bit 0: the key was deleted; bit 1: the value is an object
//	     4     8  expiry, milliseconds since the Unix epoch; 0: never
//	    12     4  length of the key
//	    16     4  length of the metadata
//	    20     4  length of the value
//	    24     4  CRC32C of the value
//	    28     4  CRC32C of bytes 0 to 27, key, metadata, and of the name of an object
//	    32        key, metadata, then the value or the name of the object
const headSize = 32

const (
	magic       = 'm'<<8 | 'n'
	version     = 1
	flagDeleted = 1
	flagObject  = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is what a message says.
type record struct {
	entry   kv.Entry // without the revision, which is the message's sequence
	deleted bool
	object  string // where the value is; empty: in the message

	valueLen, valueSum uint32
}

// size is how long the message is with the value in it.
func (r record) size() int {
	return headSize + len(r.entry.Key) + len(r.entry.Metadata) + len(r.entry.Value)
}

func (r record) encode() []byte {
	rest := r.entry.Value
	b := make([]byte, headSize, headSize+len(r.entry.Key)+len(r.entry.Metadata)+len(rest))
	binary.BigEndian.PutUint16(b, magic)
	b[2] = version
	if r.deleted {
		b[3] |= flagDeleted
	}
	if !r.entry.Expires.IsZero() {
		binary.BigEndian.PutUint64(b[4:], uint64(r.entry.Expires.UnixMilli()))
	}
	binary.BigEndian.PutUint32(b[12:], uint32(len(r.entry.Key)))
	binary.BigEndian.PutUint32(b[16:], uint32(len(r.entry.Metadata)))
	binary.BigEndian.PutUint32(b[20:], uint32(len(r.entry.Value)))
	binary.BigEndian.PutUint32(b[24:], crc32.Checksum(r.entry.Value, castagnoli))
	var name []byte
	if r.object != "" {
		b[3] |= flagObject
		name = []byte(r.object)
		rest = name
	}
	binary.BigEndian.PutUint32(b[28:], headSum(b, []byte(r.entry.Key), r.entry.Metadata, name))
	b = append(b, r.entry.Key...)
	b = append(b, r.entry.Metadata...)
	return append(b, rest...)
}

func headSum(head, key, metadata, name []byte) uint32 {
	sum := crc32.Update(0, castagnoli, head[:28])
	sum = crc32.Update(sum, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, metadata)
	return crc32.Update(sum, castagnoli, name)
}

// decode reads the message of a key's token and checks all of it. The slices are
// parts of data. The error wraps kv.ErrCorrupt.
func decode(token string, data []byte) (record, error) {
	if len(data) < headSize {
		return record{}, corrupt(token, "message of %d bytes is too short", len(data))
	}
	keyLen, metaLen := binary.BigEndian.Uint32(data[12:]), binary.BigEndian.Uint32(data[16:])
	rest := data[headSize:]
	if uint64(keyLen)+uint64(metaLen) > uint64(len(rest)) {
		return record{}, corrupt(token, "key or metadata is cut off")
	}
	key, metadata, rest := rest[:keyLen], rest[keyLen:keyLen+metaLen:keyLen+metaLen], rest[keyLen+metaLen:]
	var name []byte
	if data[3]&flagObject != 0 {
		name = rest
	}
	if headSum(data, key, metadata, name) != binary.BigEndian.Uint32(data[28:]) {
		return record{}, corrupt(token, "checksum of the head does not match")
	}
	r := record{deleted: data[3]&flagDeleted != 0, object: string(name)}
	r.entry = kv.Entry{Key: string(key), Metadata: metadata, Value: rest}
	if name != nil {
		r.entry.Value = nil
	}
	return r, r.decodeFields(token, data)
}

// decodeFields comes after the checksum: what it refuses was written that way.
func (r *record) decodeFields(token string, data []byte) error {
	r.valueLen, r.valueSum = binary.BigEndian.Uint32(data[20:]), binary.BigEndian.Uint32(data[24:])
	ms := binary.BigEndian.Uint64(data[4:])
	switch {
	case binary.BigEndian.Uint16(data) != magic:
		return corrupt(token, "not an entry")
	case data[2] != version || data[3]&^(flagDeleted|flagObject) != 0:
		return corrupt(token, "format %d with flags %#x is newer than this program", data[2], data[3])
	case ms > math.MaxInt64 || keyToken(r.entry.Key) != token:
		return corrupt(token, "it is that of key %q", r.entry.Key)
	case kv.CheckSize(r.entry.Key, r.entry.Value, r.entry.Metadata) != nil || r.valueLen > kv.MaxValue:
		return corrupt(token, "size out of range")
	case data[3]&flagObject != 0 && !objectName(r.object):
		return corrupt(token, "object %q has no name of one", r.object)
	}
	if ms != 0 {
		r.entry.Expires = time.UnixMilli(int64(ms))
	}
	if len(r.entry.Metadata) == 0 {
		r.entry.Metadata = nil
	}
	if len(r.entry.Value) == 0 {
		r.entry.Value = nil
	}
	if r.object == "" {
		return r.checkValue(r.entry.Value)
	}
	return nil
}

// checkValue reports whether value is the one that was written. The error wraps
// kv.ErrCorrupt.
func (r record) checkValue(value []byte) error {
	if uint64(len(value)) != uint64(r.valueLen) || crc32.Checksum(value, castagnoli) != r.valueSum {
		return corrupt(keyToken(r.entry.Key), "value of %d bytes does not match its checksum", len(value))
	}
	return nil
}

func corrupt(token, format string, args ...any) error {
	name := token
	if key, ok := keyOf(token); ok {
		name = fmt.Sprintf("%q", key)
	}
	return fmt.Errorf("key %s: %s: %w", name, fmt.Sprintf(format, args...), kv.ErrCorrupt)
}
