package kv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Digest is the SHA-256 of a blob's bytes.
type Digest [sha256.Size]byte

// DigestOf computes the digest of data.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// String is the digest in 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler, in the form of String.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

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

// PartReader is a Blobs that reads parts of large blobs without the rest.
type PartReader interface {
	// ReadPart fills p from offset on. The bytes are not held against the digest. It
	// is ErrNotFound if there is no such blob, and io.ErrUnexpectedEOF if it ends
	// before p is full.
	ReadPart(ctx context.Context, d Digest, p []byte, offset int64) error
}

// ReadPart is PartReader's, or made of Get.
func ReadPart(ctx context.Context, b Blobs, d Digest, p []byte, offset int64) error {
	if r, ok := b.(PartReader); ok {
		return r.ReadPart(ctx, d, p, offset)
	}
	data, err := b.Get(ctx, d)
	if err != nil {
		return err
	}
	if offset < 0 || offset > int64(len(data)) || copy(p, data[offset:]) < len(p) {
		return fmt.Errorf("read blob %s: %w", d, io.ErrUnexpectedEOF)
	}
	return nil
}
