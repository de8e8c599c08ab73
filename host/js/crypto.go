package js

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"slices"
)

var cryptoOps = []operation{
	{"opDigest", digest},
	{"opEqual", func(q *query) (kind, error) { return boolean(subtle.ConstantTimeCompare(q.text, q.data) == 1), nil }},
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
	sum := h()
	q.hash(sum, q.data)
	return q.giveBytes(sum.Sum(nil))
}

// hashWeight is what hashing a byte costs, in units of work.
const hashWeight = 6

// hash hashes data in pieces, so that limits are looked at in between.
func (q *query) hash(h hash.Hash, data []byte) {
	for piece := range slices.Chunk(data, chunkSize) {
		q.Work(hashWeight * int64(len(piece)))
		h.Write(piece)
	}
}
