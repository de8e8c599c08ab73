package memory

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unsafe"
)

// wordSize is the unit in which a Variant is kept, in bytes.
const wordSize = 4

// word is one that a Variant has of its own.
type word struct {
	at    uint32 // its number: the offset is four times that
	value uint32
}

// words are those of one Image, in order.
type words []word

// wordsOf finds where contents, whole pages, differ from the beginning of base, behind
// which are zeros. It gives up beyond most words.
func wordsOf(contents []byte, base *Image, most int) (w words, few bool) {
	for from := 0; from < len(contents); from += pageSize {
		page, was := contents[from:from+pageSize], base.page(from)
		if was == nil && isZero(page) || bytes.Equal(page, was) {
			continue
		}
		if w = w.appendDifference(page, was, from); len(w) > most {
			return nil, false
		}
	}
	return slices.Clip(w), true
}

func (w words) appendDifference(page, was []byte, from int) words {
	for n := 0; n < len(page); n += wordSize {
		before := uint32(0)
		if was != nil {
			before = binary.NativeEndian.Uint32(was[n:])
		}
		if now := binary.NativeEndian.Uint32(page[n:]); now != before {
			w = append(w, word{uint32((from + n) / wordSize), now})
		}
	}
	return w
}

// apply writes the words that lie in space, which begins at the offset from.
func (w words) apply(space []byte, from int) {
	first, _ := slices.BinarySearchFunc(w, from/wordSize, func(x word, at int) int { return int(x.at) - at })
	for _, x := range w[first:] {
		n := int(x.at)*wordSize - from
		if n >= len(space) {
			return
		}
		binary.NativeEndian.PutUint32(space[n:], x.value)
	}
}

// size is how much memory the words take, in bytes.
func (w words) size() int64 { return int64(cap(w)) * int64(unsafe.Sizeof(word{})) }
