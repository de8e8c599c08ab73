package webcrypto_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"github.com/mayfly-run/mayfly/host/js/webcrypto"
)

func params(name string) webcrypto.Params {
	return webcrypto.Params{Name: name, Hash: "SHA-256", Curve: "P-256", Random: rand.Reader}
}

// What is signed here is verified by the standard library, and the other way round.
func TestSignAgainstLibrary(t *testing.T) {
	message := []byte("message")
	sum := sha256.Sum256(message)
	p := params("ECDSA")
	k := mustGenerate(t, &p)
	p.Key = k.Key
	signature, err := p.Sign(message)
	if err != nil || len(signature) != 64 {
		t.Fatalf("got %x, %v", signature, err)
	}
	public := mustPublic[*ecdsa.PublicKey](t, k.Public)
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("the library does not verify the signature")
	}

	p = params("RSA-PSS")
	p.ModulusLength, p.SaltLength = 1024, 16
	k = mustGenerate(t, &p)
	p.Key = k.Key
	if signature, err = p.Sign(message); err != nil {
		t.Fatal(err)
	}
	rsaPublic := mustPublic[*rsa.PublicKey](t, k.Public)
	if err := rsa.VerifyPSS(rsaPublic, 5, sum[:], signature, &rsa.PSSOptions{SaltLength: 16}); err != nil {
		t.Error(err)
	}
}

func mustGenerate(t *testing.T, p *webcrypto.Params) *webcrypto.Key {
	t.Helper()
	k, err := p.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustPublic[T any](t *testing.T, der []byte) T {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(T)
}

// A counter of any length gives the key stream of its blocks, each made by itself.
func TestCounterLengths(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 16)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for length := 3; length <= 128; length++ {
		p := params("AES-CTR")
		p.Key, p.Length, p.Counter = key, length, bytes.Repeat([]byte{0xff}, 16)
		got, err := p.Encrypt(make([]byte, 16*4+3))
		if err != nil {
			t.Fatal(length, err)
		}
		if want := stream(block, p.Counter, length, len(got)); !bytes.Equal(got, want) {
			t.Errorf("%d bits: got %x, want %x", length, got, want)
		}
	}
}

func stream(block cipher.Block, counter []byte, length, n int) []byte {
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(length)), big.NewInt(1))
	start := new(big.Int).SetBytes(counter)
	high := new(big.Int).AndNot(start, mask)
	var out []byte
	for i := int64(0); len(out) < n; i++ {
		low := new(big.Int).And(new(big.Int).Add(start, big.NewInt(i)), mask)
		b := new(big.Int).Or(high, low).FillBytes(make([]byte, 16))
		block.Encrypt(b, b)
		out = append(out, b...)
	}
	return out[:n]
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(p *webcrypto.Params) error
		want string
	}{
		{"no key", func(p *webcrypto.Params) error { _, err := p.Sign(nil); return err }, "DataError"},
		{"wrong kind", func(p *webcrypto.Params) error { p.Name = "DSA"; _, err := p.Generate(); return err }, "NotSupportedError"},
		{"curve", func(p *webcrypto.Params) error { p.Curve = "P-224"; _, err := p.Generate(); return err }, "NotSupportedError"},
		{"no JWK", func(p *webcrypto.Params) error { p.Format = "jwk"; _, err := p.Import(nil); return err }, "DataError"},
		{"huge RSA", func(p *webcrypto.Params) error {
			p.Name, p.ModulusLength = "RSA-PSS", 1<<20
			_, err := p.Generate()
			return err
		}, "OperationError"},
		{"key of another curve", func(p *webcrypto.Params) error {
			k, err := p.Generate()
			if err != nil {
				return err
			}
			p.Curve, p.Key = "P-384", k.Key
			_, err = p.Sign(nil)
			return err
		}, "DataError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := params("ECDSA")
			err := tt.do(&p)
			if failure, ok := errors.AsType[*webcrypto.Error](err); !ok || failure.Name != tt.want {
				t.Errorf("got %v, want a %s", err, tt.want)
			}
		})
	}
}

// Whatever is imported can be exported, and imported again as the same.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"ECDSA", "Ed25519", "X25519"} {
		p := params(name)
		k, err := p.Generate()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, "pkcs8", k.Key, "")
		f.Add(name, "spki", k.Public, "")
		p.Type, p.Key = "private", k.Key
		jwk, err := p.ExportJWK()
		if err != nil {
			f.Fatal(err)
		}
		text, _ := json.Marshal(jwk)
		f.Add(name, "jwk", []byte(nil), string(text))
	}
	f.Add("ECDSA", "raw", []byte{4, 1}, "")
	f.Add("RSA-PSS", "jwk", []byte(nil), `{"kty":"RSA","n":"AQAB","e":"AQAB"}`)
	f.Fuzz(func(t *testing.T, name, format string, data []byte, jwk string) {
		p := params(name)
		p.Format = format
		if err := json.Unmarshal([]byte(jwk), &p.JWK); err != nil {
			p.JWK = nil
		}
		k, err := p.Import(data)
		if err != nil {
			return
		}
		p.Type, p.Key = k.Type, k.Key
		j, err := p.ExportJWK()
		if err != nil {
			t.Fatalf("%s as %s was imported, and not exported: %v", name, format, err)
		}
		p.Format, p.JWK = "jwk", j
		again, err := p.Import(nil)
		if err != nil || !bytes.Equal(again.Key, k.Key) {
			t.Errorf("got %+v, %v, want %+v", again, err, k)
		}
	})
}
