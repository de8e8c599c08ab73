// Package cursor encodes the place at which a listing goes on. A cursor holds
// the last key without the listing's prefix, so that a view below a prefix can
// hand it to users, and a tag that ties it to the prefix. The tag finds
// mistakes, it is no secret: a forged cursor is worth no more than asking for
// keys after one that the user names.
package cursor

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/mayfly-run/mayfly/kv"
)

const tagSize = 8

// Encode returns the cursor for what follows the key prefix+suffix.
func Encode(prefix, suffix string) string {
	tag := tagOf(prefix, suffix)
	return base64.RawURLEncoding.EncodeToString(append(tag[:tagSize:tagSize], suffix...))
}

// Decode returns the suffix that Encode was given, or kv.ErrCursor.
func Decode(prefix, cursor string) (suffix string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < tagSize {
		return "", kv.ErrCursor
	}
	suffix = string(b[tagSize:])
	// Encoding again also refuses the line ends and stray bits that base64 lets by.
	if Encode(prefix, suffix) != cursor {
		return "", kv.ErrCursor
	}
	return suffix, nil
}

func tagOf(prefix, suffix string) [sha256.Size]byte {
	b := binary.AppendUvarint([]byte("mayfly list cursor\x00"), uint64(len(prefix)))
	b = append(b, prefix...)
	return sha256.Sum256(append(b, suffix...))
}
