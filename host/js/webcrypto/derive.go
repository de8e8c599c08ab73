package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rsa"
	"slices"
	"strings"
)

// Generate makes a key that is not a secret.
func (p *Params) Generate() (*Key, error) {
	private, public, err := p.generate()
	if err != nil {
		return nil, err
	}
	k, err := describe(private)
	if err != nil {
		return nil, err
	}
	other, err := describe(public)
	if err != nil {
		return nil, err
	}
	k.Public = other.Key
	return k, nil
}

// maxGenerated bounds RSA keys that are generated, in bits: finding primes takes
// time with the fourth power.
const maxGenerated = 4096

func (p *Params) generate() (private, public any, err error) {
	switch p.Name {
	case "Ed25519":
		public, private, err := ed25519.GenerateKey(p.Random)
		return private, public, err
	case "X25519":
		key, err := ecdh.X25519().GenerateKey(p.Random)
		if err != nil {
			return nil, nil, err
		}
		return key, key.PublicKey(), nil
	case "ECDSA", "ECDH":
		c, err := p.curve()
		if err != nil {
			return nil, nil, err
		}
		key, err := ecdsa.GenerateKey(c, p.Random)
		if err != nil {
			return nil, nil, err
		}
		return key, &key.PublicKey, nil
	}
	if !strings.HasPrefix(p.Name, "RSA") {
		return nil, nil, notSupported("keys for %q are not generated", p.Name)
	}
	if p.ModulusLength < 1024 || p.ModulusLength > maxGenerated {
		return nil, nil, operationError("RSA keys are generated with 1024 to %d bits, not %d", maxGenerated, p.ModulusLength)
	}
	key, err := rsa.GenerateKey(p.Random, p.ModulusLength)
	if err != nil {
		return nil, nil, operationError("%v", err)
	}
	return key, &key.PublicKey, nil
}

// Bounds of PBKDF2: how often it iterates, which is Cloudflare's limit, and how many
// bytes it gives.
const (
	MaxIterations = 100_000
	MaxDerived    = 1024
)

// Derive gives Length bits; if that is negative, all that there are. Lengths of
// HKDF and PBKDF2 are whole bytes.
func (p *Params) Derive() ([]byte, error) {
	switch p.Name {
	case "ECDH", "X25519":
		return p.agree()
	case "HKDF", "PBKDF2":
		if p.Length < 0 || p.Length%8 != 0 {
			return nil, operationError("the length must be a multiple of 8 bits")
		}
		if p.Name == "HKDF" {
			return p.hkdf(p.Length / 8)
		}
		return p.pbkdf2(p.Length / 8)
	}
	return nil, notSupported("%q does not derive", p.Name)
}

func (p *Params) hkdf(n int) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	out, err := hkdf.Key(h.New, p.Key, p.Salt, string(p.Info), n)
	if err != nil {
		return nil, operationError("%v", err)
	}
	return out, nil
}

func (p *Params) pbkdf2(n int) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	switch {
	case p.Iterations < 1:
		return nil, operationError("PBKDF2 needs at least one iteration")
	case p.Iterations > MaxIterations:
		return nil, notSupported("Pbkdf2 failed: iteration counts above %d are not supported (requested %d).", MaxIterations, p.Iterations)
	case n > MaxDerived:
		return nil, notSupported("PBKDF2 gives %d bytes at most, not %d", MaxDerived, n)
	case n == 0:
		return []byte{}, nil
	}
	out, err := pbkdf2.Key(h.New, string(p.Key), p.Salt, p.Iterations, n)
	if err != nil {
		return nil, operationError("%v", err)
	}
	return out, nil
}

// agree is the secret that Key and Public make, cut to Length bits.
func (p *Params) agree() ([]byte, error) {
	private, err := p.exchangePrivate()
	if err != nil {
		return nil, err
	}
	public, err := p.exchangePublic()
	if err != nil {
		return nil, err
	}
	secret, err := private.ECDH(public)
	if err != nil {
		return nil, operationError("%v", err)
	}
	if p.Length < 0 {
		return secret, nil
	}
	n := (p.Length + 7) / 8
	if n > len(secret) {
		return nil, operationError("there are %d bits, not %d", 8*len(secret), p.Length)
	}
	out := slices.Clone(secret[:n])
	if rest := p.Length % 8; rest > 0 {
		out[n-1] &= 0xff << (8 - rest)
	}
	return out, nil
}

func (p *Params) exchangePrivate() (*ecdh.PrivateKey, error) {
	key, err := p.private()
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *ecdh.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k.ECDH()
	}
	return nil, notSupported("%q does not derive", p.Name)
}

func (p *Params) exchangePublic() (*ecdh.PublicKey, error) {
	key, err := p.parsePublic(p.Public)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *ecdh.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		return k.ECDH()
	}
	return nil, notSupported("%q does not derive", p.Name)
}
