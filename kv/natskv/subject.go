package natskv

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxToken is the longest last token of a subject, in bytes. The server refuses
// lines of more than 4,096 bytes, in which there is more than the subject.
const maxToken = 1024

const hexDigits = "0123456789ABCDEF"

// keyToken is the end of the subject of a key: "k." and the key in one token, with
// =XX for each byte that subjects can't have or that is =. A key that becomes too
// long is "h." and its SHA-256 instead; the message has the key itself.
func keyToken(key string) string {
	var b strings.Builder
	b.WriteString("k.")
	for i := range len(key) {
		if c := key[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
		if b.Len() > maxToken {
			sum := sha256.Sum256([]byte(key))
			return "h." + hex.EncodeToString(sum[:])
		}
	}
	return b.String()
}

// plain bytes stand for themselves. Spaces and control bytes end a subject in the
// protocol; . * > and $ mean something in it.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_/:@+,", c) >= 0
}

// keyOf is the key of a token, if the token says it.
func keyOf(token string) (key string, ok bool) {
	escaped, ok := strings.CutPrefix(token, "k.")
	if !ok {
		return "", false
	}
	b := make([]byte, 0, len(escaped))
	for len(escaped) > 0 {
		c := escaped[0]
		if c != '=' {
			b, escaped = append(b, c), escaped[1:]
			continue
		}
		if len(escaped) < 3 {
			return "", false
		}
		var raw [1]byte
		if _, err := hex.Decode(raw[:], []byte(escaped[1:3])); err != nil {
			return "", false
		}
		b, escaped = append(b, raw[0]), escaped[3:]
	}
	key = string(b)
	return key, keyToken(key) == token
}
