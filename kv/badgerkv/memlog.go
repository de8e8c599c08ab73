package badgerkv

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"github.com/mayfly-run/mayfly/kv"
)

// What is not in a table yet is in logs of recent writes, *.mem, which Badger reads
// when it opens a database, up to what is not whole. These functions tell a commit
// that was under way when the process or the machine ended from damage. A log is
// made of zeros and written from its beginning to its end, and a commit is on disk
// before the next one is written. So what was cut off lacks something, which is
// zeros, and has no other commit behind it.

const (
	inCommit  = 1 << 6 // flag of an entry that belongs to a commit: https://github.com/dgraph-io/badger/blob/v4.9.6/value.go
	endCommit = 1 << 7 // of the entry after the last one
	atCommit  = 8      // bytes at the end of a key: math.MaxUint64 less the number of the commit

	logHeader = 22      // bytes of flags, lengths and expiry, at the most
	logEntry  = 1 << 16 // bytes of an entry, at the most, and more
	sector    = 512     // bytes that a disk writes at once, at least
)

const _ = uint(logEntry - logHeader - kv.MaxKey - valueThreshold - 64)

// logEnd is where reading a log of recent writes ends, and why.
type logEnd struct {
	at      int  // bytes of the log that are whole commits
	damaged bool // acknowledged writes follow
	broken  int  // where the entry begins that is not whole
	flipped int  // the bit of the log that, inverted, makes it whole; -1 if there is none
}

func readLog(data []byte) logEnd {
	if len(data) <= vlogHeader {
		return logEnd{at: len(data), flipped: -1}
	}
	l := wholeCommits(data)
	last := len(bytes.TrimRight(data, "\x00"))
	if l.broken >= last {
		return l
	}
	if bit, ok := flippedBit(data[l.broken:]); ok {
		l.damaged, l.flipped = true, l.broken*8+bit
		return l
	}
	commits := commitsIn(data[l.at:l.broken], nil)
	commits = commitsIn(data[l.broken:last], commits)
	l.damaged = len(commits) > 1 || completed(data[l.broken:])
	return l
}

// wholeCommits follows a log as Badger does.
func wholeCommits(data []byte) logEnd {
	l := logEnd{at: vlogHeader, broken: vlogHeader, flipped: -1}
	under := uint64(0) // the commit whose end is to come
	for {
		e, ok := parseEntry(data[l.broken:])
		if !ok || under != 0 && e.commit() != under {
			return l
		}
		switch {
		case e.flags&inCommit != 0:
			under = e.commit()
		case e.flags&endCommit != 0:
			if under == 0 || string(e.value) != strconv.FormatUint(under, 10) {
				return l
			}
			under = 0
		case under != 0:
			return l
		}
		l.broken += e.length
		if under == 0 {
			l.at = l.broken
		}
	}
}

// commitsIn adds the commits of which there are whole entries anywhere in data, as
// long as there are not more than one. A value may contain what looks like an
// entry: nothing is read from those.
func commitsIn(data []byte, commits map[uint64]bool) map[uint64]bool {
	if commits == nil {
		commits = map[uint64]bool{}
	}
	for len(commits) < 2 && len(data) > 0 {
		e, ok := parseEntry(data)
		if !ok {
			data = data[1:]
			continue
		}
		if e.flags&(inCommit|endCommit) != 0 {
			commits[e.commit()] = true
		}
		data = data[e.length:]
	}
	return commits
}

// completed reports whether the entry that data begins with was written to its end,
// although it is not whole: its end is there, and no sector is missing.
func completed(data []byte) bool {
	end, ok := sumOffset(data)
	if !ok || end > logEntry || data[end+3] == 0 {
		return false
	}
	return !bytes.Contains(data[:end], make([]byte, sector))
}

// flippedBit finds the bit of the entry that data begins with whose inversion makes
// it whole.
func flippedBit(data []byte) (bit int, ok bool) {
	data = bytes.Clone(data[:min(len(data), logEntry)])
	for bit := range min(len(data), logHeader) * 8 { // may change where the entry ends
		data[bit/8] ^= 1 << (bit % 8)
		e, ok := parseEntry(data)
		data[bit/8] ^= 1 << (bit % 8)
		if ok && e.commit() != 0 {
			return bit, true
		}
	}
	end, ok := sumOffset(data)
	if !ok {
		return 0, false
	}
	wrong := sumOf(data[:end]) ^ binary.BigEndian.Uint32(data[end:])
	if bits.OnesCount32(wrong) == 1 { // in the checksum, which is big-endian
		at := bits.TrailingZeros32(wrong)
		return (end+3-at/8)*8 + at%8, true
	}
	return flippedUnder(wrong, end)
}

// flippedUnder finds the bit of length bytes whose inversion changes their checksum
// by wrong: what that is depends on where the bit is alone.
func flippedUnder(wrong uint32, length int) (bit int, ok bool) {
	var change [8]uint32
	for i := range change {
		change[i] = castagnoli[1<<i]
	}
	for at := length - 1; at >= 0; at-- {
		for i := range change {
			if change[i] == wrong {
				return at*8 + i, true
			}
			change[i] = castagnoli[byte(change[i])] ^ change[i]>>8
		}
	}
	return 0, false
}

// logged is an entry of a log.
type logged struct {
	flags      byte
	key, value []byte
	length     int // of all of it
}

// commit is the number of the commit that the entry belongs to; 0 if none.
func (e logged) commit() uint64 {
	if len(e.key) < atCommit {
		return 0
	}
	return math.MaxUint64 - binary.BigEndian.Uint64(e.key[len(e.key)-atCommit:])
}
