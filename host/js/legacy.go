package js

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	gobytes "bytes"
)

var encodingOps = []operation{
	{"opEncodingName", encodingName},
	{"opDecodeFrom", decodeFrom},
}

// encodingName gives the name of the encoding with the label text
// (https://encoding.spec.whatwg.org/#names-and-labels), or null.
func encodingName(q *query) (kind, error) {
	label := strings.Trim(string(q.text), "\t\n\f\r ")
	e, err := htmlindex.Get(label)
	if err != nil || e == encoding.Replacement || strings.TrimSpace(label) != label {
		return null, nil
	}
	name, err := htmlindex.Name(e)
	if err != nil {
		return null, nil
	}
	return q.give(name)
}

// legacyWeight is what decoding one byte costs, in units of work.
const legacyWeight = 10

// The bits of n of decodeFrom.
const (
	decodeFatal = 1 // what is malformed is an error, and null is given
	decodeMore  = 2 // more bytes follow
)

// decodeFrom turns data from the encoding named text into text: first how many bytes
// at the end belong to what is not there yet, then NUL, then the text.
func decodeFrom(q *query) (kind, error) {
	e, err := htmlindex.Get(string(q.text))
	if err != nil {
		return null, nil
	}
	q.Work(legacyWeight * int64(len(q.data)))
	if err := q.room(3*len(q.data) + 1); err != nil { // no character has more in UTF-8 than three times what it had
		return 0, err
	}
	var text []byte
	var rest int
	switch e {
	case charmap.ISO8859_8I:
		text = decodeSingle(charmap.ISO8859_8, q.data)
	case simplifiedchinese.GBK: // https://encoding.spec.whatwg.org/#gbk-decoder
		text, rest = decodeAll(simplifiedchinese.GB18030, q.data, q.n&decodeMore == 0)
	default:
		if table, ok := e.(*charmap.Charmap); ok {
			text = decodeSingle(table, q.data)
			break
		}
		text, rest = decodeAll(e, q.data, q.n&decodeMore == 0)
	}
	text[0] = byte('0' + rest)
	if q.n&decodeFatal != 0 && gobytes.ContainsRune(text, utf8.RuneError) {
		return null, nil
	}
	return q.giveText(text)
}

// decodeAll decodes data, behind one byte that it leaves free; rest is how many bytes
// at its end are no character without those that follow, of which there are none if it
// is the end.
func decodeAll(e encoding.Encoding, data []byte, end bool) (text []byte, rest int) {
	d := e.NewDecoder()
	dst := make([]byte, len(data)+64)
	text = dst[:1]
	for {
		n, used, err := d.Transform(dst[len(text):], data, end)
		text, data = dst[:len(text)+n], data[used:]
		if !errors.Is(err, transform.ErrShortDst) {
			return text, len(data)
		}
		dst = append(dst, make([]byte, len(dst))...)
	}
}

// decodeSingle decodes data by a table of single bytes, behind one byte that it leaves
// free. Where that has no character for a control character, the standard has the
// control character.
func decodeSingle(table *charmap.Charmap, data []byte) []byte {
	text := make([]byte, 1, len(data)+64)
	for _, b := range data {
		r := table.DecodeByte(b)
		if r == utf8.RuneError && b < 0xa0 {
			r = rune(b)
		}
		text = utf8.AppendRune(text, r)
	}
	return text
}
