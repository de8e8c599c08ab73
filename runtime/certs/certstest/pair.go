// Package certstest makes certificates for tests: Pair by itself, and Authority over
// ACME.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/certs"
)

// Pair writes a certificate for hosts, and its key, into a directory, where another
// pair is replaced. It has the number and is valid for an hour; nobody vouches for it.
func Pair(t testing.TB, dir string, number int64, hosts ...string) certs.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(number), DNSNames: hosts, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	fatal(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	fatal(t, err)
	p := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	fatal(t, writePEM(p.Cert, "CERTIFICATE", cert))
	fatal(t, writePEM(p.Key, "PRIVATE KEY", keyDER))
	return p
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
