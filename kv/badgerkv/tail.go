package badgerkv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Badger takes what it can't read at the end of a file for a write that was under
// way when the process ended, and cuts it off. These functions tell damage from
// that, as far as it can be told.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// checkTail looks at what follows the last whole change in the manifest: 4 bytes
// length, 4 bytes CRC32C, the change. If the checksum is right for a length that
// differs in one bit, the change was whole.
func checkTail(file string, end int64) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	tail := data[min(end, int64(len(data))):]
	if len(tail) < 8 {
		return nil
	}
	length, sum := binary.BigEndian.Uint32(tail), binary.BigEndian.Uint32(tail[4:])
	for bit := range 32 {
		if n := length ^ 1<<bit; uint64(n) <= uint64(len(tail)-8) && sumOf(tail[8:8+n]) == sum {
			return &DamageError{File: filepath.Base(file), What: fmt.Sprintf("the length at byte %d does not match its checksum", end)}
		}
	}
	return nil
}

const vlogHeader = 20 // bytes before the first entry: number of the encryption key, initialisation vector

// keepTail keeps what follows damage in the last file of the value log, which
// Badger would cut off there: it begins another file, so that this one is not the
// last. It reports whether it did.
func keepTail(dir string) (kept bool, err error) {
	last, err := lastVlog(dir)
	if err != nil || last == "" {
		return false, err
	}
	data, err := os.ReadFile(last)
	if err != nil || !damagedWithin(data) {
		return false, err
	}
	var number uint32
	if _, err := fmt.Sscanf(filepath.Base(last), "%06d.vlog", &number); err != nil || number == math.MaxUint32 {
		return false, fmt.Errorf("value log file %s has no number", filepath.Base(last))
	}
	next := filepath.Join(dir, fmt.Sprintf("%06d.vlog", number+1))
	return true, os.WriteFile(next, make([]byte, vlogHeader), 0o600)
}

// lastVlog is the last file of the value log; empty if there is none. Names are
// numbers of six digits.
func lastVlog(dir string) (last string, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".vlog") {
			last = filepath.Join(dir, f.Name())
		}
	}
	return last, err
}

// damagedWithin reports whether anything follows the entry at which reading ends.
func damagedWithin(data []byte) bool {
	if len(data) <= vlogHeader {
		return false
	}
	rest := data[vlogHeader:]
	for {
		e, ok := parseEntry(rest)
		if !ok {
			break
		}
		rest = rest[e.length:]
	}
	return len(bytes.TrimRight(rest, "\x00")) > 0
}

// parseEntry reads the whole entry that data begins with: 2 bytes of flags; lengths
// of key and value, and expiry, as varints; key; value; CRC32C of all that.
func parseEntry(data []byte) (e logged, ok bool) {
	end, ok := sumOffset(data)
	if !ok || sumOf(data[:end]) != binary.BigEndian.Uint32(data[end:]) {
		return e, false
	}
	key, value, at, _ := entryFields(data)
	return logged{flags: data[0], key: data[at : at+key], value: data[at+key : at+key+value], length: end + 4}, true
}

// sumOffset is where the checksum of the entry that data begins with is, if its
// lengths are right.
func sumOffset(data []byte) (end int, ok bool) {
	key, value, at, ok := entryFields(data)
	end = at + key + value
	return end, ok && end+4 <= len(data)
}

// entryFields reads lengths, and where the key begins.
func entryFields(data []byte) (key, value, at int, ok bool) {
	at = 2
	var fields [3]uint64
	for i := range fields {
		if at >= len(data) {
			return 0, 0, 0, false
		}
		v, size := binary.Uvarint(data[at:])
		if size <= 0 {
			return 0, 0, 0, false
		}
		fields[i] = v
		at += size
	}
	if fields[0] == 0 || fields[0] > uint64(len(data)) || fields[1] > uint64(len(data)) {
		return 0, 0, 0, false
	}
	return int(fields[0]), int(fields[1]), at, true
}
