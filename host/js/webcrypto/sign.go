package webcrypto

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"math/big"
)

// Sign signs data. Signatures of ECDSA are r and s, each as long as the curve's
// order.
func (p *Params) Sign(data []byte) ([]byte, error) {
	if p.Name == "HMAC" {
		return p.hmac(data)
	}
	key, err := p.private()
	if err != nil {
		return nil, err
	}
	if k, ok := key.(ed25519.PrivateKey); ok && p.Name == "Ed25519" {
		return ed25519.Sign(k, data), nil
	}
	sum, h, err := p.sum(data)
	if err != nil {
		return nil, err
	}
	if err := p.checkSalt(); err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return p.signRSA(k, h, sum)
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(p.Random, k, sum)
		if err != nil {
			return nil, operationError("%v", err)
		}
		n := (k.Params().N.BitLen() + 7) / 8
		out := make([]byte, 2*n)
		r.FillBytes(out[:n])
		s.FillBytes(out[n:])
		return out, nil
	}
	return nil, notSupported("%q does not sign", p.Name)
}

// Verify reports whether Signature is that of data.
func (p *Params) Verify(data []byte) (bool, error) {
	if p.Name == "HMAC" {
		want, err := p.hmac(data)
		return hmac.Equal(want, p.Signature), err
	}
	key, err := p.public()
	if err != nil {
		return false, err
	}
	if k, ok := key.(ed25519.PublicKey); ok && p.Name == "Ed25519" {
		return ed25519.Verify(k, data, p.Signature), nil
	}
	sum, h, err := p.sum(data)
	if err != nil {
		return false, err
	}
	if err := p.checkSalt(); err != nil {
		return false, err
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return p.verifyRSA(k, h, sum), nil
	case *ecdsa.PublicKey:
		n := (k.Params().N.BitLen() + 7) / 8
		if len(p.Signature) != 2*n {
			return false, nil
		}
		r, s := new(big.Int).SetBytes(p.Signature[:n]), new(big.Int).SetBytes(p.Signature[n:])
		return ecdsa.Verify(k, sum, r, s), nil
	}
	return false, notSupported("%q does not verify", p.Name)
}

func (p *Params) hmac(data []byte) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	mac := hmac.New(h.New, p.Key)
	mac.Write(data)
	return mac.Sum(nil), nil
}

// checkSalt refuses what the library takes for "of any length".
func (p *Params) checkSalt() error {
	if p.Name == "RSA-PSS" && p.SaltLength <= 0 {
		return notSupported("RSA-PSS with a salt of %d bytes is not offered", p.SaltLength)
	}
	return nil
}

func (p *Params) signRSA(k *rsa.PrivateKey, h crypto.Hash, sum []byte) (out []byte, err error) {
	if p.Name == "RSA-PSS" {
		out, err = rsa.SignPSS(p.Random, k, h, sum, &rsa.PSSOptions{SaltLength: p.SaltLength})
	} else {
		out, err = rsa.SignPKCS1v15(p.Random, k, h, sum)
	}
	if err != nil {
		return nil, operationError("%v", err)
	}
	return out, nil
}

func (p *Params) verifyRSA(k *rsa.PublicKey, h crypto.Hash, sum []byte) bool {
	if p.Name != "RSA-PSS" {
		return rsa.VerifyPKCS1v15(k, h, sum, p.Signature) == nil
	}
	return rsa.VerifyPSS(k, h, sum, p.Signature, &rsa.PSSOptions{SaltLength: p.SaltLength}) == nil
}

func (p *Params) encryptOAEP(data []byte) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	key, err := p.public()
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, operationError("this is no RSA key")
	}
	out, err := rsa.EncryptOAEP(h.New(), p.Random, k, data, p.Label)
	if err != nil {
		return nil, operationError("%v", err)
	}
	return out, nil
}

func (p *Params) decryptOAEP(data []byte) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	key, err := p.private()
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, operationError("this is no RSA key")
	}
	out, err := rsa.DecryptOAEP(h.New(), p.Random, k, data, p.Label)
	if err != nil {
		return nil, operationError("%v", err)
	}
	return out, nil
}
