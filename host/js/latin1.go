package js

import "unicode/utf8"

// Fields of HTTP are bytes, and strings of JavaScript show each as the character
// of that number (isomorphic decoding, https://infra.spec.whatwg.org/#isomorphic-decode).

// fromLatin1 returns UTF-8 for bytes that are characters.
func fromLatin1(b []byte) string {
	if isASCII(b) {
		return string(b)
	}
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}

// toLatin1 returns the bytes of text in UTF-8. A character that is none becomes
// NUL, which no field may have.
func toLatin1(text []byte) []byte {
	if isASCII(text) {
		return text
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r > 0xff {
			r = 0
		}
		out, text = append(out, byte(r)), text[n:]
	}
	return out
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
