package natskv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// maxJournal is how much a journal holds, in bytes.
const maxJournal = 64 << 20

// frameSize is what is before each record of a journal: its length and its CRC32C,
// 4 bytes each, big-endian.
const frameSize = 8

// journal is a file of writes that are to be sent, in order. Each is on disk when it
// was added.
type journal struct {
	file *os.File
	size int64
}

// openJournal reads what a journal has. What is not whole is put aside: the end may be
// a write that was interrupted, which was not acknowledged, or damage. Then there is
// an error beside the journal.
func openJournal(name string) (*journal, []record, error) {
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	records, whole, err := readJournal(data)
	if lost := len(data) - whole; lost > 0 && err == nil {
		err = fmt.Errorf("the last %d bytes of the journal are not whole", lost)
	}
	if err != nil {
		aside := fmt.Sprintf("%s.damaged-%d", name, time.Now().UnixMilli())
		if writeErr := os.WriteFile(aside, data, 0o600); writeErr != nil {
			return nil, nil, errors.Join(err, writeErr)
		}
		err = fmt.Errorf("%w: all of it is kept in %s", err, aside)
	}
	f, openErr := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if openErr != nil {
		return nil, nil, openErr
	}
	j := &journal{file: f, size: int64(whole)}
	return j, records, errors.Join(err, f.Truncate(j.size), f.Sync())
}

// readJournal returns the records, and how many bytes of data they are. The error is
// for what can't have been left by a write that was interrupted: more follows it.
func readJournal(data []byte) (records []record, whole int, err error) {
	for rest := data; len(rest) > 0; rest = data[whole:] {
		if len(rest) < frameSize {
			return records, whole, nil
		}
		n := uint64(binary.BigEndian.Uint32(rest))
		if n > uint64(len(rest)-frameSize) {
			return records, whole, nil
		}
		body := rest[frameSize : frameSize+n]
		r, err := decodeAny(body)
		if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(rest[4:]) || err != nil {
			if int(n)+frameSize == len(rest) {
				return records, whole, nil
			}
			return records, whole, fmt.Errorf("write %d of the journal is damaged: %w", len(records)+1, kv.ErrCorrupt)
		}
		records = append(records, r)
		whole += frameSize + int(n)
	}
	return records, whole, nil
}

// decodeAny reads a record of whatever key.
func decodeAny(data []byte) (record, error) {
	if len(data) < headSize {
		return record{}, corrupt("", "record of %d bytes is too short", len(data))
	}
	n := uint64(binary.BigEndian.Uint32(data[12:]))
	if n > uint64(len(data)-headSize) {
		return record{}, corrupt("", "key is cut off")
	}
	return decode(keyToken(string(data[headSize:headSize+n])), data)
}

// add writes a record to the end.
func (j *journal) add(r record) error {
	body := r.encode()
	if j.size+int64(len(body)) > maxJournal {
		return fmt.Errorf("%d MiB of writes wait for the cluster: %w", j.size>>20, kv.ErrNoSpace)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, frameSize+len(body)), uint32(len(body)))
	frame = binary.BigEndian.AppendUint32(frame, crc32.Checksum(body, castagnoli))
	frame = append(frame, body...)
	_, err := j.file.WriteAt(frame, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil { // whatever is there now, the next write goes over it
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(frame))
	return nil
}

// clear removes all records.
func (j *journal) clear() error {
	if j.size == 0 {
		return nil
	}
	j.size = 0
	return errors.Join(j.file.Truncate(0), j.file.Sync())
}

func (j *journal) close() error { return j.file.Close() }
