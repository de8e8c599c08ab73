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

func (r *reader) fail(msg string) {
	if r.err == nil {
		r.err = &SyntaxError{r.pos, msg}
		r.pos = len(r.data)
	}
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
	return uint32(r.leb(32))
}

func (r *reader) u64() uint64 { return r.leb(64) }

// leb reads an unsigned LEB128 number of at most that many bits.
func (r *reader) leb(bits uint) (v uint64) {
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if shift+7 > bits && b>>(bits-shift) != 0 {
			r.fail(fmt.Sprintf("number does not fit into %d bits", bits))
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.data)-r.pos) {
		r.fail(fmt.Sprintf("%d bytes announced, %d left", n, len(r.data)-r.pos))
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

// section reads one section and returns a reader of its content, whose offsets
// are those of the module.
func (r *reader) section() (id byte, body *reader) {
	id = r.byte()
	if id > lastSection {
		r.fail(fmt.Sprintf("unknown section %d", id))
	}
	size := r.u32()
	start := r.pos
	r.bytes(size)
	return id, &reader{data: r.data[:r.pos], pos: start, err: r.err}
}
