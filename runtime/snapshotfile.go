package runtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/mayfly-run/mayfly/kv"
)

// A Snapshot as bytes: the magic line, the header's length (4 bytes, big endian),
// the header as JSON, and the memory as one zstd frame. It has no checksum of its
// own, since it is stored under its digest.

const snapshotMagic = "mayfly snapshot 1\n"

type snapshotHeader struct {
	Rewrite int    `json:"rewrite"`        // rewriteVersion
	Module  string `json:"module"`         // digest of the module as it was uploaded
	Code    string `json:"code"`           // digest of the rewritten module
	Memory  int64  `json:"memory"`         // bytes
	Base    string `json:"base,omitempty"` // digest of the base that the memory is a difference to
	snapshotState
}

// ErrStale: the bytes are of no use to this node, because other software wrote
// them or the code is not kept any more. Take the Snapshot again.
var ErrStale = errors.New("snapshot is stale")

// Encode makes bytes of the Snapshot, for Restore.
func (s *Snapshot) Encode() ([]byte, error) {
	h := snapshotHeader{Rewrite: rewriteVersion, Module: s.Module.String(), Code: s.code.digest.String(), Memory: s.Memory(), snapshotState: s.snapshotState}
	memory, err := s.image.Contents()
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	if s.Engine != "" && s.runtime.hasBase() {
		b, err := s.runtime.base()
		if err != nil {
			return nil, fmt.Errorf("encode snapshot: %w", err)
		}
		b.difference(memory)
		h.Base = b.digest.String()
	}
	header, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	defer z.Close()
	out := append([]byte(snapshotMagic), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(out[len(snapshotMagic):], uint32(len(header)))
	return z.EncodeAll(memory, append(out, header...)), nil
}

// maxImage is the largest memory that a module can have.
const maxImage = 4 << 30

// decodeSnapshot reads what Encode wrote.
func decodeSnapshot(data []byte) (h snapshotHeader, image []byte, err error) {
	rest, ok := bytes.CutPrefix(data, []byte(snapshotMagic))
	if !ok || len(rest) < 4 {
		return h, nil, fmt.Errorf("%w: its format is unknown", ErrStale)
	}
	n := binary.BigEndian.Uint32(rest)
	if rest = rest[4:]; uint64(n) > uint64(len(rest)) {
		return h, nil, fmt.Errorf("%w: it is cut off", ErrStale)
	}
	if err := json.Unmarshal(rest[:n], &h); err != nil {
		return h, nil, fmt.Errorf("%w: %w", ErrStale, err)
	}
	if h.Rewrite != rewriteVersion {
		return h, nil, fmt.Errorf("%w: it is of version %d", ErrStale, h.Rewrite)
	}
	if h.Memory < 0 || h.Memory > maxImage || h.Memory%pageSize != 0 {
		return h, nil, fmt.Errorf("%w: a memory of %d bytes", ErrStale, h.Memory)
	}
	image, err = inflate(rest[n:], h.Memory)
	return h, image, err
}

// inflate allocates no more than size, whatever the frame says of itself.
func inflate(frame []byte, size int64) ([]byte, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(max(size, 1<<20))))
	if err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	defer z.Close()
	image, err := z.DecodeAll(frame, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStale, err)
	}
	if int64(len(image)) != size {
		return nil, fmt.Errorf("%w: its memory has %d bytes instead of %d", ErrStale, len(image), size)
	}
	return image, nil
}

// Restore makes a Snapshot of bytes that Encode made, without its module: code is
// taken from memory or from disk. module is the digest that the Snapshot must be
// of. The error is ErrStale if it has to be taken again.
func (r *Runtime) Restore(ctx context.Context, data []byte, module kv.Digest) (*Snapshot, error) {
	h, image, err := decodeSnapshot(data)
	if err != nil {
		return nil, err
	}
	if h.Engine != "" && h.Engine != r.interpreter.identity() {
		return nil, fmt.Errorf("%w: it is of another JavaScript engine", ErrStale)
	}
	if err := r.addBase(h, image); err != nil {
		return nil, err
	}
	if h.Module != module.String() {
		return nil, fmt.Errorf("%w: it is of module %s", ErrStale, h.Module)
	}
	digest, err := kv.ParseDigest(h.Code)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStale, err)
	}
	c, err := r.recallCode(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStale, err)
	}
	s, err := newSnapshot(r, c, module, image, h.snapshotState, nil)
	return s, errors.Join(err, r.dropCode(c))
}

// addBase makes a memory of what it has beside the base.
func (r *Runtime) addBase(h snapshotHeader, image []byte) error {
	if h.Base == "" {
		return nil
	}
	if !r.hasBase() {
		return fmt.Errorf("%w: it was kept by a node that runs guests itself", ErrStale)
	}
	b, err := r.base()
	if err != nil {
		return err
	}
	if h.Base != b.digest.String() {
		return fmt.Errorf("%w: its JavaScript engine was initialised otherwise", ErrStale)
	}
	b.difference(image)
	return nil
}
