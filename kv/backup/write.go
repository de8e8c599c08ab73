package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Source is what a backup is made of. View and Blobs are required.
type Source struct {
	View  kv.View
	Blobs kv.Blobs // has every blob that the View's entries name
	// Select says whether an entry is backed up, and which blobs it names, if any.
	// Default: all are, and name none.
	Select   func(kv.Entry) (keep bool, blobs []kv.Digest)
	Software string
	Now      func() time.Time // default: time.Now
}

// Write writes a backup. If it returns an error, what it has written is not
// whole, and readers notice.
func Write(ctx context.Context, to io.Writer, src Source) (Summary, error) {
	if src.Select == nil {
		src.Select = func(kv.Entry) (bool, []kv.Digest) { return true, nil }
	}
	if src.Now == nil {
		src.Now = time.Now
	}
	w := &writer{to: bufio.NewWriterSize(to, 256<<10), sum: sha256.New(), named: map[kv.Digest]bool{}}
	w.summary.Header = Header{Created: src.Now().UTC().Truncate(time.Second), Revision: src.View.Revision(), Software: src.Software}
	if err := w.all(ctx, src); err != nil {
		return w.summary, fmt.Errorf("write backup: %w", err)
	}
	return w.summary, nil
}

type writer struct {
	to      *bufio.Writer
	sum     hash.Hash // of all that was written
	summary Summary
	named   map[kv.Digest]bool
	order   []kv.Digest // of named
}

func (w *writer) all(ctx context.Context, src Source) error {
	if err := w.write([]byte(magic + version + "\n")); err != nil {
		return err
	}
	header, err := json.Marshal(w.summary.Header)
	if err != nil {
		return err
	}
	if err := w.frame(kindHeader, header); err != nil {
		return err
	}
	if err := src.View.Entries(ctx, func(e kv.Entry) error { return w.entry(e, src.Select) }); err != nil {
		return err
	}
	for _, d := range w.order {
		if err := w.blob(ctx, src.Blobs, d); err != nil {
			return err
		}
	}
	if err := w.frame(kindEnd, w.end()); err != nil {
		return err
	}
	return w.to.Flush()
}

func (w *writer) entry(e kv.Entry, choose func(kv.Entry) (bool, []kv.Digest)) error {
	keep, blobs := choose(e)
	if !keep {
		return nil
	}
	for _, d := range blobs {
		if !w.named[d] {
			w.named[d] = true
			w.order = append(w.order, d)
		}
	}
	fixed := binary.BigEndian.AppendUint64(make([]byte, 0, entryFixed), e.Revision)
	ms := uint64(0)
	if !e.Expires.IsZero() {
		ms = uint64(e.Expires.UnixMilli())
	}
	fixed = binary.BigEndian.AppendUint64(fixed, ms)
	fixed = binary.BigEndian.AppendUint32(fixed, uint32(len(e.Key)))
	fixed = binary.BigEndian.AppendUint32(fixed, uint32(len(e.Metadata)))
	w.summary.Entries++
	return w.frame(kindEntry, fixed, []byte(e.Key), e.Metadata, e.Value)
}

func (w *writer) blob(ctx context.Context, blobs kv.Blobs, d kv.Digest) error {
	data, err := blobs.Get(ctx, d)
	if err != nil {
		return err
	}
	if len(data) > maxBlob-len(d) {
		return fmt.Errorf("blob %s of %d bytes is too long for a backup", d, len(data))
	}
	w.summary.Blobs++
	return w.frame(kindBlob, d[:], data)
}

func (w *writer) end() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, endSize), uint64(w.summary.Entries))
	b = binary.BigEndian.AppendUint64(b, uint64(w.summary.Blobs))
	return w.sum.Sum(b)
}

// frame writes the parts of one payload.
func (w *writer) frame(kind byte, parts ...[]byte) error {
	n, sum := 0, uint32(0)
	for _, p := range parts {
		n += len(p)
		sum = crc32.Update(sum, crcTable(), p)
	}
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(n))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(head, crcTable()))
	if err := w.write(head); err != nil {
		return err
	}
	for _, p := range parts {
		if err := w.write(p); err != nil {
			return err
		}
	}
	return w.write(binary.BigEndian.AppendUint32(nil, sum))
}

func (w *writer) write(b []byte) error {
	w.sum.Write(b) // never fails
	w.summary.Bytes += int64(len(b))
	_, err := w.to.Write(b)
	return err
}
