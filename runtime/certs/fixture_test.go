package certs_test

import (
	"crypto/tls"
	"os"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/certs"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func write(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// number is that of the certificate which a client gets that names a host, or -1.
func number(t testing.TB, c *certs.Certs, host string) int64 {
	t.Helper()
	hello := &tls.ClientHelloInfo{ServerName: host, SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}}
	cert, err := c.TLS().GetCertificate(hello)
	if err != nil {
		return -1
	}
	return cert.Leaf.SerialNumber.Int64()
}
