package js

import (
	gobytes "bytes"
	"unicode/utf8"
)

var textOps = []operation{
	{"opEncode", encode},
	{"opDecode", decode},
}

// encode turns text into UTF-8.
func encode(q *query) (kind, error) {
	if err := q.room(len(q.text)); err != nil {
		return 0, err
	}
	if utf8.Valid(q.text) {
		return q.giveBytes(gobytes.Clone(q.text))
	}
	return q.giveBytes(scalars(q.text))
}

// decode turns data from UTF-8 into text. With n, what is malformed is an error;
// otherwise it becomes U+FFFD as the Encoding standard has it, which is what the
// standard library does as well: one for each maximal subpart.
func decode(q *query) (kind, error) {
	if err := q.room(len(q.data)); err != nil {
		return 0, err
	}
	if utf8.Valid(q.data) {
		return q.give(string(q.data))
	}
	if q.n != 0 {
		return null, nil
	}
	return q.giveText(replaceMalformed(q.data))
}

// replaceMalformed replaces each maximal subpart of an ill-formed sequence by
// U+FFFD (https://encoding.spec.whatwg.org/#utf-8-decoder).
func replaceMalformed(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/8)
	for len(b) > 0 {
		if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
			out, b = append(out, b[:n]...), b[n:]
			continue
		}
		out, b = utf8.AppendRune(out, utf8.RuneError), b[subpart(b):]
	}
	return out
}

// subpart is the length of the maximal subpart at the beginning of an ill-formed
// sequence: as many bytes as some character begins with, or one.
func subpart(b []byte) int {
	low, high, need := byte(0x80), byte(0xbf), 0
	switch c := b[0]; {
	case c >= 0xc2 && c <= 0xdf:
		need = 1
	case c >= 0xe0 && c <= 0xef:
		need = 2
		if c == 0xe0 {
			low = 0xa0
		} else if c == 0xed {
			high = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		need = 3
		if c == 0xf0 {
			low = 0x90
		} else if c == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for ; n <= need && n < len(b) && b[n] >= low && b[n] <= high; n++ {
		low, high = 0x80, 0xbf
	}
	return n
}

// scalars is text, which the engine may give with lone surrogates, with U+FFFD
// where those are (https://infra.spec.whatwg.org/#javascript-string-convert).
func scalars(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 && len(text) > 2 && text[0] == 0xed {
			n = 3 // a surrogate
		}
		out, text = utf8.AppendRune(out, r), text[n:]
	}
	return out
}
