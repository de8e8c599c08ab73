package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
)

// JWK is what a JSON Web Key has of the numbers of a key (RFC 7517, RFC 7518
// section 6, RFC 8037), in base64url.
type JWK struct {
	Type  string `json:"kty"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	D     string `json:"d,omitempty"`
	P     string `json:"p,omitempty"`
	Q     string `json:"q,omitempty"`
	DP    string `json:"dp,omitempty"`
	DQ    string `json:"dq,omitempty"`
	QI    string `json:"qi,omitempty"`
}

func (j *JWK) read(p *Params) (any, error) {
	switch j.Type {
	case "RSA":
		return j.readRSA()
	case "EC":
		return j.readEC(p)
	case "OKP":
		return j.readOKP(p)
	}
	return nil, dataError("the JWK has the type %q", j.Type)
}

func field(name, value string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) == 0 {
		return nil, dataError("the field %q of the JWK is missing or not base64url", name)
	}
	return b, nil
}

// numbers reads fields; names and values alternate.
func numbers(fields ...string) ([]*big.Int, error) {
	out := make([]*big.Int, len(fields)/2)
	for i := range out {
		b, err := field(fields[2*i], fields[2*i+1])
		if err != nil {
			return nil, err
		}
		if len(b) > maxModulus/8 {
			return nil, notSupported("RSA keys of more than %d bits are not offered", maxModulus)
		}
		out[i] = new(big.Int).SetBytes(b)
	}
	return out, nil
}

func (j *JWK) readRSA() (any, error) {
	n, err := numbers("n", j.N, "e", j.E)
	if err != nil {
		return nil, err
	}
	if !n[1].IsInt64() || n[1].Int64() < 2 || n[1].Int64() > 1<<31-1 {
		return nil, dataError("the exponent of the JWK is out of range")
	}
	public := rsa.PublicKey{N: n[0], E: int(n[1].Int64())}
	if j.D == "" {
		return &public, nil
	}
	if n, err = numbers("d", j.D, "p", j.P, "q", j.Q, "dp", j.DP, "dq", j.DQ, "qi", j.QI); err != nil {
		return nil, err
	}
	key := &rsa.PrivateKey{PublicKey: public, D: n[0], Primes: n[1:3]}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, dataError("the numbers of the JWK do not belong together: %v", err)
	}
	if key.Precomputed.Dp.Cmp(n[3]) != 0 || key.Precomputed.Dq.Cmp(n[4]) != 0 || key.Precomputed.Qinv.Cmp(n[5]) != 0 {
		return nil, dataError("the numbers of the JWK do not belong together")
	}
	return key, nil
}

func (j *JWK) readEC(p *Params) (any, error) {
	c, err := p.curve()
	if err != nil {
		return nil, err
	}
	if j.Curve != p.Curve {
		return nil, dataError("the JWK is of the curve %q, not %q", j.Curve, p.Curve)
	}
	size := (c.Params().BitSize + 7) / 8
	point := []byte{4}
	for _, f := range [][2]string{{"x", j.X}, {"y", j.Y}} {
		b, err := field(f[0], f[1])
		if err != nil {
			return nil, err
		}
		if len(b) != size {
			return nil, dataError("the field %q of the JWK has %d bytes, not %d", f[0], len(b), size)
		}
		point = append(point, b...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(c, point)
	if err != nil {
		return nil, dataError("the JWK is no point on %s", p.Curve)
	}
	if j.D == "" {
		return public, nil
	}
	d, err := field("d", j.D)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(c, d)
	if err != nil || !key.PublicKey.Equal(public) {
		return nil, dataError("the private part of the JWK does not belong to its public one")
	}
	return key, nil
}

func (j *JWK) readOKP(p *Params) (any, error) {
	if j.Curve != p.Name {
		return nil, dataError("the JWK is of the curve %q, not %q", j.Curve, p.Name)
	}
	x, err := field("x", j.X)
	if err != nil {
		return nil, err
	}
	if j.D == "" {
		return p.readRaw(x)
	}
	d, err := field("d", j.D)
	if err != nil {
		return nil, err
	}
	if len(d) != ed25519.SeedSize {
		return nil, dataError("the field \"d\" of the JWK has %d bytes, not 32", len(d))
	}
	if p.Name == "Ed25519" {
		key := ed25519.NewKeyFromSeed(d)
		if !slices.Equal(key[ed25519.SeedSize:], x) {
			return nil, dataError("the private part of the JWK does not belong to its public one")
		}
		return key, nil
	}
	key, err := ecdh.X25519().NewPrivateKey(d)
	if err != nil || !slices.Equal(key.PublicKey().Bytes(), x) {
		return nil, dataError("the private part of the JWK does not belong to its public one")
	}
	return key, nil
}

// ExportJWK gives the numbers of Key.
func (p *Params) ExportJWK() (*JWK, error) {
	key, err := p.any()
	if err != nil {
		return nil, err
	}
	text := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsaJWK(k), nil
	case *rsa.PrivateKey:
		j, c := rsaJWK(&k.PublicKey), &k.Precomputed
		j.D, j.P, j.Q = text(k.D.Bytes()), text(k.Primes[0].Bytes()), text(k.Primes[1].Bytes())
		j.DP, j.DQ, j.QI = text(c.Dp.Bytes()), text(c.Dq.Bytes()), text(c.Qinv.Bytes())
		return j, nil
	case *ecdsa.PublicKey:
		return ecJWK(k)
	case *ecdsa.PrivateKey:
		return privateEC(k)
	case ed25519.PublicKey:
		return &JWK{Type: "OKP", Curve: p.Name, X: text(k)}, nil
	case ed25519.PrivateKey:
		return &JWK{Type: "OKP", Curve: p.Name, X: text(k[ed25519.SeedSize:]), D: text(k.Seed())}, nil
	case *ecdh.PublicKey:
		return &JWK{Type: "OKP", Curve: p.Name, X: text(k.Bytes())}, nil
	case *ecdh.PrivateKey:
		return &JWK{Type: "OKP", Curve: p.Name, X: text(k.PublicKey().Bytes()), D: text(k.Bytes())}, nil
	}
	return nil, notSupported("the format jwk is not offered for %s", p.Name)
}

// any is the key in Key, by Type.
func (p *Params) any() (any, error) {
	if p.Type == "public" {
		return p.public()
	}
	return p.private()
}

func rsaJWK(k *rsa.PublicKey) *JWK {
	text := base64.RawURLEncoding.EncodeToString
	return &JWK{Type: "RSA", N: text(k.N.Bytes()), E: text(big.NewInt(int64(k.E)).Bytes())}
}

func ecJWK(k *ecdsa.PublicKey) (*JWK, error) {
	point, err := k.Bytes()
	if err != nil {
		return nil, operationError("%v", err)
	}
	text, size := base64.RawURLEncoding.EncodeToString, len(point)/2
	return &JWK{Type: "EC", Curve: k.Params().Name, X: text(point[1 : 1+size]), Y: text(point[1+size:])}, nil
}

func privateEC(k *ecdsa.PrivateKey) (*JWK, error) {
	j, err := ecJWK(&k.PublicKey)
	if err != nil {
		return nil, err
	}
	d, err := k.Bytes()
	if err != nil {
		return nil, operationError("%v", err)
	}
	j.D = base64.RawURLEncoding.EncodeToString(d)
	return j, nil
}
