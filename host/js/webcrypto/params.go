package webcrypto

import (
	"crypto"
	_ "crypto/md5"    // crypto.MD5
	_ "crypto/sha1"   // crypto.SHA1
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384 and crypto.SHA512
	"io"
)

// Params say what is to be done, but for the data. Which of them are read depends on
// the operation and on Name, the name of an algorithm as the standard spells it.
// Lengths are in the units of the standard: bits, but for SaltLength, which is bytes.
type Params struct {
	Name   string `json:"name"`
	Hash   string `json:"hash"`
	Curve  string `json:"curve"`  // P-256, P-384 or P-521
	Format string `json:"format"` // raw, pkcs8, spki or jwk
	Type   string `json:"type"`   // of Key: secret, private or public
	Key    []byte `json:"key"`
	Public []byte `json:"public"` // of the other side
	JWK    *JWK   `json:"jwk"`

	IV         []byte `json:"iv"`
	Additional []byte `json:"additionalData"`
	Counter    []byte `json:"counter"`
	Label      []byte `json:"label"`
	Salt       []byte `json:"salt"`
	Info       []byte `json:"info"`
	Signature  []byte `json:"signature"`

	TagLength     int `json:"tagLength"`
	Length        int `json:"length"`
	SaltLength    int `json:"saltLength"`
	Iterations    int `json:"iterations"`
	ModulusLength int `json:"modulusLength"`

	Random io.Reader `json:"-"` // where keys and signatures take random numbers from
}

// Key describes a key that was imported or generated.
type Key struct {
	Type          string `json:"type"`
	Key           []byte `json:"key"`
	Public        []byte `json:"public,omitempty"` // of a pair
	ModulusLength int    `json:"modulusLength,omitempty"`
	Exponent      []byte `json:"publicExponent,omitempty"` // big-endian
}

// hash is the hash that p names.
func (p *Params) hash() (crypto.Hash, error) {
	switch p.Hash {
	case "SHA-1":
		return crypto.SHA1, nil
	case "SHA-256":
		return crypto.SHA256, nil
	case "SHA-384":
		return crypto.SHA384, nil
	case "SHA-512":
		return crypto.SHA512, nil
	case "MD5":
		return crypto.MD5, nil
	}
	return 0, notSupported("the hash %q is not offered", p.Hash)
}

// sum is the digest of data, and the hash that made it.
func (p *Params) sum(data []byte) ([]byte, crypto.Hash, error) {
	h, err := p.hash()
	if err != nil {
		return nil, 0, err
	}
	w := h.New()
	w.Write(data)
	return w.Sum(nil), h, nil
}
