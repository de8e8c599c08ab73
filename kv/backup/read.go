package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// visitor gets what is in a backup, each part after its checksums were right.
type visitor struct {
	header func(Header) error
	entry  func(kv.Entry) error
	blob   func(kv.Digest, []byte) error
}

// Verify reads a whole backup and checks everything in it. What is wrong with it
// is ErrDamaged.
func Verify(from io.Reader) (Summary, error) {
	s, err := read(from, visitor{
		header: func(Header) error { return nil },
		entry:  func(kv.Entry) error { return nil },
		blob:   func(kv.Digest, []byte) error { return nil },
	})
	if err != nil {
		return s, fmt.Errorf("read backup: %w", err)
	}
	return s, nil
}

// reader reads frames and knows where it is.
type reader struct {
	from    *bufio.Reader
	sum     hash.Hash // of all that was read
	summary Summary
	lastKey string // of an entry
}

func read(from io.Reader, v visitor) (Summary, error) {
	r := &reader{from: bufio.NewReaderSize(from, 256<<10), sum: sha256.New()}
	err := r.all(v)
	return r.summary, err
}

func (r *reader) all(v visitor) error {
	if err := r.magic(); err != nil {
		return err
	}
	if err := r.header(v); err != nil {
		return err
	}
	for {
		at, before := r.summary.Bytes, r.sum.Sum(nil)
		kind, payload, err := r.frame()
		if err != nil {
			return err
		}
		switch {
		case kind == kindEntry && r.summary.Blobs == 0:
			err = r.entry(at, payload, v.entry)
		case kind == kindBlob:
			err = r.blob(at, payload, v.blob)
		case kind == kindEnd:
			return r.end(at, payload, before)
		default:
			err = damaged(at, "a part of kind %q is not expected here", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (r *reader) magic() error {
	line, err := r.bytes(int64(len(magic + version + "\n")))
	if err != nil && len(line) == 0 && !errors.Is(err, ErrDamaged) {
		return err
	}
	text := string(line)
	if !strings.HasPrefix(text, magic) {
		return damaged(0, "it does not begin with %q, as a backup does", magic+version)
	}
	if text != magic+version+"\n" {
		return damaged(int64(len(magic)), "it is of a version that this Mayfly can't read (%q instead of %q): use a newer one", text[len(magic):], version+"\n")
	}
	return nil
}

func (r *reader) header(v visitor) error {
	at := r.summary.Bytes
	kind, payload, err := r.frame()
	if err != nil {
		return err
	}
	if kind != kindHeader {
		return damaged(at, "the header is missing")
	}
	if err := json.Unmarshal(payload, &r.summary.Header); err != nil {
		return damaged(at, "the header is not the JSON expected: %v", err)
	}
	return v.header(r.summary.Header)
}

func (r *reader) entry(at int64, b []byte, do func(kv.Entry) error) error {
	if len(b) < entryFixed {
		return damaged(at, "entry %d is too short", r.summary.Entries+1)
	}
	e := kv.Entry{Revision: binary.BigEndian.Uint64(b)}
	ms, keyLen, metaLen := binary.BigEndian.Uint64(b[8:]), uint64(binary.BigEndian.Uint32(b[16:])), uint64(binary.BigEndian.Uint32(b[20:]))
	rest := b[entryFixed:]
	if keyLen+metaLen > uint64(len(rest)) || ms > maxExpiryMS {
		return damaged(at, "entry %d has lengths or an expiry out of range", r.summary.Entries+1)
	}
	if ms != 0 {
		e.Expires = time.UnixMilli(int64(ms))
	}
	e.Key, e.Metadata, e.Value = string(rest[:keyLen]), rest[keyLen:keyLen+metaLen], rest[keyLen+metaLen:]
	if err := kv.CheckSize(e.Key, e.Value, e.Metadata); err != nil {
		return damaged(at, "entry %d: %v", r.summary.Entries+1, err)
	}
	if r.summary.Entries > 0 && e.Key <= r.lastKey {
		return damaged(at, "entry %d, key %q, is out of order", r.summary.Entries+1, e.Key)
	}
	r.summary.Entries++
	r.lastKey = e.Key
	return do(e)
}

func (r *reader) blob(at int64, b []byte, do func(kv.Digest, []byte) error) error {
	var d kv.Digest
	if copy(d[:], b) < len(d) {
		return damaged(at, "blob %d is too short", r.summary.Blobs+1)
	}
	data := b[len(d):]
	if kv.DigestOf(data) != d {
		return damaged(at, "blob %s does not have its digest", d)
	}
	r.summary.Blobs++
	return do(d, data)
}

func (r *reader) end(at int64, b, sum []byte) error {
	if len(b) != endSize {
		return damaged(at, "the end has a wrong length")
	}
	entries, blobs := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	if entries != uint64(r.summary.Entries) || blobs != uint64(r.summary.Blobs) {
		return damaged(at, "there are %d entries and %d blobs instead of %d and %d", r.summary.Entries, r.summary.Blobs, entries, blobs)
	}
	if !bytes.Equal(b[16:], sum) {
		return damaged(at, "the digest of the whole does not match")
	}
	if _, err := r.from.ReadByte(); err != io.EOF {
		if err != nil {
			return err
		}
		return damaged(r.summary.Bytes, "something follows the end")
	}
	return nil
}

// frame reads one frame whole.
func (r *reader) frame() (kind byte, payload []byte, err error) {
	at := r.summary.Bytes
	head, err := r.bytes(headSize)
	if err != nil {
		return 0, nil, err
	}
	if crc32.Checksum(head[:5], crcTable()) != binary.BigEndian.Uint32(head[5:]) {
		return 0, nil, damaged(at, "checksum of a part's head does not match%s", r.after())
	}
	kind, n := head[0], binary.BigEndian.Uint32(head[1:])
	if most := longest(kind); int64(n) > most {
		return 0, nil, damaged(at, "a part of kind %q with %d bytes; at most %d are expected", kind, n, most)
	}
	if payload, err = r.bytes(int64(n)); err != nil {
		return 0, nil, err
	}
	sum, err := r.bytes(sumSize)
	if err != nil {
		return 0, nil, err
	}
	if crc32.Checksum(payload, crcTable()) != binary.BigEndian.Uint32(sum) {
		return 0, nil, damaged(at, "checksum of a part does not match%s", r.after())
	}
	return kind, payload, nil
}

func longest(kind byte) int64 {
	switch kind {
	case kindHeader:
		return maxHeader
	case kindEntry:
		return maxEntry
	case kindBlob:
		return maxBlob
	case kindEnd:
		return endSize
	}
	return 0
}

// after says where the reader is, for people.
func (r *reader) after() string {
	switch {
	case r.summary.Blobs > 0:
		return fmt.Sprintf(" (after %d entries and %d blobs)", r.summary.Entries, r.summary.Blobs)
	case r.summary.Entries > 0:
		return fmt.Sprintf(" (after %d entries, the last one with key %q)", r.summary.Entries, r.lastKey)
	}
	return ""
}

// bytes reads n bytes. It takes memory for what arrives, not for what is claimed.
func (r *reader) bytes(n int64) ([]byte, error) {
	var b bytes.Buffer
	got, err := io.CopyN(&b, r.from, n)
	r.summary.Bytes += got
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.Bytes(), damaged(r.summary.Bytes, "it is cut off%s", r.after())
	}
	r.sum.Write(b.Bytes()) // never fails
	return b.Bytes(), err
}
