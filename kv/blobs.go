package kv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest is the SHA-256 of a blob's bytes.
type Digest [sha256.Size]byte

// DigestOf computes the digest of data.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// String is the digest in 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) || strings.ToLower(s) != s {
		return d, fmt.Errorf("digest %q is not 64 lower-case hexadecimal digits", s)
	}
	copy(d[:], b)
	return d, nil
}

// Blobs keeps immutable bytes under their digest. All methods may be called
// concurrently. A Put that returned nil is durable.
type Blobs interface {
	// Put stores data and returns its digest. Storing the same bytes again
	// costs one look-up.
	Put(ctx context.Context, data []byte) (Digest, error)
	// Get returns the blob, or ErrNotFound, or ErrCorrupt when the stored bytes
	// no longer have this digest.
	Get(ctx context.Context, d Digest) ([]byte, error)
	// Delete removes the blob; an absent one is no error.
	Delete(ctx context.Context, d Digest) error
	// List returns the digests of all blobs in no particular order.
	List(ctx context.Context) ([]Digest, error)
}
