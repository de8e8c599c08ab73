package js

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"io"
	"time"
	"unicode/utf8"

	gobytes "bytes"

	"github.com/mayfly-run/mayfly/host"
)

var miscOps = []operation{
	{"opLog", logText},
	{"opSecrets", secrets},
	{"opRandom", randomBytes},
	{"opClock", clock},
}

var textOps = []operation{
	{"opEncode", func(q *query) (kind, error) { return q.giveBytes(gobytes.Clone(scalars(q.text))) }},
	{"opDecode", decode},
	{"opDigest", digest},
	{"opHMAC", sign},
	{"opEqual", func(q *query) (kind, error) { return boolean(subtle.ConstantTimeCompare(q.text, q.data) == 1), nil }},
}

// logText writes text to the log; n is the level.
func logText(q *query) (kind, error) {
	q.Work(host.LogWeight * int64(len(q.text)))
	q.Log(host.LogLevel(max(0, min(q.n, int32(host.LogError)))), q.text)
	return noValue, nil
}

// secrets gives the names and values of secrets, each ended by NUL.
func secrets(q *query) (kind, error) {
	var out []byte
	for _, name := range q.Bindings.Secrets {
		out = append(append(append(append(out, name...), 0), q.Bindings.Env[name].Value...), 0)
	}
	return q.give(string(out))
}

// maxRandom is how many bytes crypto.getRandomValues gives.
const maxRandom = 65536

// randomBytes gives n random bytes.
func randomBytes(q *query) (kind, error) {
	if q.n < 0 || q.n > maxRandom {
		return 0, host.Errorf(host.CodeInvalid, "at most %d random bytes are given at a time", maxRandom)
	}
	q.Work(host.RandomWeight * int64(q.n))
	b := make([]byte, q.n)
	if _, err := io.ReadFull(q.Services.Random, b); err != nil {
		return 0, err
	}
	return q.giveBytes(b)
}

// clock gives the microseconds since the Invocation began.
func clock(q *query) (kind, error) {
	elapsed := q.Elapsed()
	return integer(int(q.Services.Coarse(int64(elapsed)) / int64(time.Microsecond))), nil
}

// decode turns data from UTF-8 into text. With n, what is malformed is an error;
// otherwise it becomes U+FFFD as the Encoding standard has it, which is what the
// standard library does as well: one for each maximal subpart.
func decode(q *query) (kind, error) {
	if utf8.Valid(q.data) {
		return q.give(string(q.data))
	}
	if q.n != 0 {
		return null, nil
	}
	return q.give(string(replaceMalformed(q.data)))
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

func hashOf(name string) func() hash.Hash {
	switch name {
	case "SHA-1":
		return sha1.New
	case "SHA-256":
		return sha256.New
	case "SHA-384":
		return sha512.New384
	case "SHA-512":
		return sha512.New
	case "MD5": // an extension of Cloudflare's
		return md5.New
	}
	return nil
}

// digest gives the digest of data by the algorithm named text, or null if there is none.
func digest(q *query) (kind, error) {
	h := hashOf(string(q.text))
	if h == nil {
		return null, nil
	}
	q.Work(hashWeight * int64(len(q.data)))
	sum := h()
	sum.Write(q.data)
	return q.giveBytes(sum.Sum(nil))
}

// hashWeight is what hashing a byte costs, in units of work.
const hashWeight = 6

// sign gives the HMAC of data. n is the length of the key, which stands before the
// message in data; text is the hash.
func sign(q *query) (kind, error) {
	h := hashOf(string(q.text))
	if h == nil || q.n < 0 || int(q.n) > len(q.data) {
		return null, nil
	}
	q.Work(hashWeight * int64(len(q.data)))
	mac := hmac.New(h, q.data[:q.n])
	mac.Write(q.data[q.n:])
	return q.giveBytes(mac.Sum(nil))
}
