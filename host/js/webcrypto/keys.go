package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
)

// maxModulus bounds RSA keys, in bits: an operation takes time with the third power
// of their length.
const maxModulus = 8192

func (p *Params) curve() (elliptic.Curve, error) {
	switch p.Curve {
	case "P-256":
		return elliptic.P256(), nil
	case "P-384":
		return elliptic.P384(), nil
	case "P-521":
		return elliptic.P521(), nil
	}
	return nil, notSupported("the curve %q is not offered", p.Curve)
}

// private is the private key in Key.
func (p *Params) private() (any, error) { return p.parsePrivate(p.Key) }

func (p *Params) parsePrivate(der []byte) (any, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, dataError("this is no private key in PKCS #8: %v", err)
	}
	return key, p.fits(key)
}

// public is the public key in Key.
func (p *Params) public() (any, error) { return p.parsePublic(p.Key) }

func (p *Params) parsePublic(der []byte) (any, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, dataError("this is no public key: %v", err)
	}
	return key, p.fits(key)
}

// fits says whether a key is one for the algorithm.
func (p *Params) fits(key any) error {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return p.fits(&k.PublicKey)
	case *rsa.PublicKey:
		if strings.HasPrefix(p.Name, "RSA") {
			return checkModulus(k.N.BitLen())
		}
	case *ecdsa.PrivateKey:
		return p.fits(&k.PublicKey)
	case *ecdsa.PublicKey:
		if strings.HasPrefix(p.Name, "EC") && k.Params().Name == p.Curve {
			return nil
		}
	case ed25519.PrivateKey, ed25519.PublicKey:
		if p.Name == "Ed25519" {
			return nil
		}
	case *ecdh.PrivateKey, *ecdh.PublicKey: // of X25519; those of other curves are ecdsa's
		if p.Name == "X25519" {
			return nil
		}
	}
	return dataError("the key is of another kind than %s %s", p.Name, p.Curve)
}

func checkModulus(bits int) error {
	if bits > maxModulus {
		return notSupported("RSA keys of more than %d bits are not offered", maxModulus)
	}
	return nil
}

// Import reads a key that is not a secret, from data or JWK.
func (p *Params) Import(data []byte) (*Key, error) {
	key, err := p.read(data)
	if err != nil {
		return nil, err
	}
	if err := p.fits(key); err != nil {
		return nil, err
	}
	return describe(key)
}

func (p *Params) read(data []byte) (any, error) {
	switch p.Format {
	case "pkcs8":
		return p.parsePrivate(data)
	case "spki":
		return p.parsePublic(data)
	case "raw":
		return p.readRaw(data)
	case "jwk":
		if p.JWK == nil {
			return nil, dataError("there is no JWK")
		}
		return p.JWK.read(p)
	}
	return nil, notSupported("the format %q is not offered for %s", p.Format, p.Name)
}

// readRaw reads a public key of a curve.
func (p *Params) readRaw(data []byte) (any, error) {
	switch p.Name {
	case "Ed25519":
		if len(data) != ed25519.PublicKeySize {
			return nil, dataError("a public key of Ed25519 has 32 bytes, not %d", len(data))
		}
		return ed25519.PublicKey(data), nil
	case "X25519":
		key, err := ecdh.X25519().NewPublicKey(data)
		if err != nil {
			return nil, dataError("a public key of X25519 has 32 bytes, not %d", len(data))
		}
		return key, nil
	case "ECDSA", "ECDH":
		return p.readPoint(data)
	}
	return nil, notSupported("the format raw is not offered for %s", p.Name)
}

// readPoint reads a point of a curve, also a compressed one (SEC 1, 2.3.4).
func (p *Params) readPoint(data []byte) (any, error) {
	c, err := p.curve()
	if err != nil {
		return nil, err
	}
	if len(data) > 0 && data[0] != uncompressed {
		data = uncompress(c, data)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(c, data)
	if err != nil {
		return nil, dataError("this is no point on %s", p.Curve)
	}
	return key, nil
}

// uncompressed begins a point whose coordinates follow (SEC 1, 2.3.3).
const uncompressed = 4

// uncompress returns nothing for what is no point.
func uncompress(c elliptic.Curve, data []byte) []byte {
	x, y := elliptic.UnmarshalCompressed(c, data)
	if x == nil {
		return nil
	}
	size := (c.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*size)
	point[0] = uncompressed
	x.FillBytes(point[1 : 1+size])
	y.FillBytes(point[1+size:])
	return point
}

// describe is what is kept of a key.
func describe(key any) (*Key, error) {
	k := new(Key)
	var err error
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, *ecdh.PublicKey:
		k.Type = "public"
		k.Key, err = x509.MarshalPKIXPublicKey(key)
	default:
		k.Type = "private"
		k.Key, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return nil, dataError("%v", err)
	}
	var pub *rsa.PublicKey
	switch r := key.(type) {
	case *rsa.PrivateKey:
		pub = &r.PublicKey
	case *rsa.PublicKey:
		pub = r
	default:
		return k, nil
	}
	k.ModulusLength, k.Exponent = pub.N.BitLen(), big.NewInt(int64(pub.E)).Bytes()
	return k, nil
}

// ExportRaw gives a public key of a curve as its point.
func (p *Params) ExportRaw() ([]byte, error) {
	key, err := p.public()
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return k.Bytes()
	case ed25519.PublicKey:
		return k, nil
	case *ecdh.PublicKey:
		return k.Bytes(), nil
	}
	return nil, notSupported("the format raw is not offered for %s", p.Name)
}
