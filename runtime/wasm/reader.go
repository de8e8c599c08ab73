package wasm

import (
	"fmt"
	"unicode/utf8"
)

// reader walks over a module. The first error stays and makes every later read
// return zero, so that callers check once.
type reader struct {
	data []byte
	pos  int
	err  error
}

func (r *reader) atEnd() bool { return r.err != nil || r.pos == len(r.data) }

// left is how many bytes are still to be read.
func (r *reader) left() int { return len(r.data) - r.pos }

func (r *reader) fail(format string, args ...any) { r.failAt(r.pos, format, args...) }

func (r *reader) failAt(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = &SyntaxError{offset, fmt.Sprintf(format, args...)}
	}
	r.pos = len(r.data)
}

func (r *reader) byte() byte {
	if r.pos >= len(r.data) {
		r.fail("unexpected end")
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

func (r *reader) u32() uint32 {
	if r.pos < len(r.data) && r.data[r.pos] < 0x80 {
		r.pos++
		return uint32(r.data[r.pos-1])
	}
	return uint32(r.leb(32))
}

// leb reads an unsigned LEB128 number of at most that many bits.
func (r *reader) leb(bits uint) (v uint64) {
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if shift+7 > bits && b>>(bits-shift) != 0 {
			r.fail("number does not fit into %d bits", bits)
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

// sleb reads a signed LEB128 number of at most that many bits.
func (r *reader) sleb(bits uint) (v int64) {
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if shift+7 > bits && !signOnly(b, bits-shift) {
			r.fail("number does not fit into %d bits", bits)
			return 0
		}
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			unused := 64 - min(shift+7, 64)
			return v << unused >> unused
		}
	}
}

// signOnly says whether the last byte of a number repeats the sign in all bits
// that do not fit, and that no further byte follows.
func signOnly(b byte, fit uint) bool {
	high := b >> (fit - 1)
	return high == 0 || high == 0x7f>>(fit-1)
}

func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.fail("%d bytes announced, %d left: the file is cut off, or damaged", n, r.left())
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

func (r *reader) name() string {
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.fail("name is not UTF-8")
		return ""
	}
	return string(b)
}

// count reads how many entries follow and refuses more than the limit, or more
// than bytes are left: every entry takes at least one.
func (r *reader) count(what string, limit int) int {
	start := r.pos
	n := r.u32()
	switch {
	case r.err != nil:
		return 0
	case uint64(n) > uint64(limit):
		r.failAt(start, "%d %s, the limit is %d", n, what, limit)
		return 0
	case uint64(n) > uint64(r.left()):
		r.failAt(start, "%d %s announced, %d bytes left: unexpected end", n, what, r.left())
		return 0
	}
	return int(n)
}

// section reads one section and returns a reader of its content, whose offsets
// are those of the module.
func (r *reader) section() (id byte, body *reader) {
	id = r.byte()
	if id > lastSection {
		r.fail("unknown section %d", id)
	}
	size := r.u32()
	start := r.pos
	r.bytes(size)
	return id, &reader{data: r.data[:r.pos], pos: start, err: r.err}
}
