package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// keySize is the length of all keys, in bytes.
const keySize = chacha20poly1305.KeySize

// Key seals and opens. The zero Key is none. It does not print itself.
type Key struct {
	bytes [keySize]byte
	id    keyID
}

// keyID tells keys apart without telling anything about them: the beginning of
// the key's SHA-256 behind a label.
type keyID [8]byte

// String implements fmt.Stringer.
func (id keyID) String() string { return hex.EncodeToString(id[:]) }

func newKey(b []byte) (k Key) {
	copy(k.bytes[:], b)
	sum := sha256.Sum256(append([]byte("mayfly key id\x00"), b...))
	copy(k.id[:], sum[:])
	return k
}

// NewKey makes a random Key.
func NewKey() Key {
	var b [keySize]byte
	rand.Read(b[:]) // never fails
	return newKey(b[:])
}

// ID names the Key in messages.
func (k Key) ID() string { return k.id.String() }

// IsZero reports whether this is no Key.
func (k Key) IsZero() bool { return k == Key{} }

// String implements fmt.Stringer, so that no Key gets into a log.
func (k Key) String() string { return "key " + k.ID() }

// GoString implements fmt.GoStringer.
func (k Key) GoString() string { return k.String() }

// Encode is the Key as ParseKey reads it, in base64. It is for the file that the
// Key is kept in.
func (k Key) Encode() string { return base64.StdEncoding.EncodeToString(k.bytes[:]) }

// ErrNotAKey is what ParseKey says of anything else. It says nothing of the text.
var ErrNotAKey = errors.New("not a key: 32 random bytes are wanted, in base64 or hexadecimal digits, as 'openssl rand -base64 32' makes them")

// ParseKey reads 32 bytes in base64 or in hexadecimal digits, with white space
// around them, or as they are. 32 characters of plain text are no Key, but a
// password, which could be guessed.
func ParseKey(text []byte) (Key, error) {
	if len(text) == keySize && bytes.ContainsFunc(text, notText) {
		return newKey(text), nil
	}
	word := string(bytes.TrimSpace(text))
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if b, err := decode(word); err == nil && len(b) == keySize {
			return newKey(b), nil
		}
	}
	return Key{}, ErrNotAKey
}

// MAC is the HMAC-SHA256 of a text under the Key, in hexadecimal digits.
func (k Key) MAC(text string) string {
	mac := hmac.New(sha256.New, k.bytes[:])
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func notText(r rune) bool { return r > '~' || r < ' ' && r != '\n' && r != '\r' && r != '\t' }
