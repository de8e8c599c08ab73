package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// mustPair writes a certificate for hosts, with the number, and its key.
func mustPair(t *testing.T, dir string, number int64, hosts ...string) certs.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), DNSNames: hosts, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{p.Cert: {Type: "CERTIFICATE", Bytes: der}, p.Key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// overTLS asks a Function over TLS, and says how the answer came.
func overTLS(n *node.Node, host string, h2 bool) (string, error) {
	transport := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is the test's own
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, n.HTTPSAddr())
		}}
	if !h2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Get("https://" + host + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return fmt.Sprintf("%s %d %d %s", resp.Proto, resp.StatusCode, resp.TLS.PeerCertificates[0].SerialNumber, resp.Header.Get("Strict-Transport-Security")), nil
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	n := mustStart(t, node.Config{TLS: node.TLS{Listen: "127.0.0.1:0", Redirect: true, HSTS: time.Hour, PublicPort: 443,
		Certificates: []certs.Pair{mustPair(t, dir, 1, "*.localhost")}}})
	mustDeploy(t, n, "hello", hello("hello"))
	for _, tt := range []struct {
		host string
		h2   bool
		want string
	}{
		{"hello.localhost", false, "HTTP/1.1 200 1 max-age=3600"},
		{"hello.localhost", true, "HTTP/2.0 200 1 max-age=3600"},
		{"nobody.localhost", true, "HTTP/2.0 404 1 max-age=3600"},
	} {
		if got, err := overTLS(n, tt.host, tt.h2); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.host, got, err, tt.want)
		}
	}
	mustPair(t, dir, 2, "*.localhost")
	n.Reload()
	if got, err := overTLS(n, "hello.localhost", true); err != nil || got != "HTTP/2.0 200 2 max-age=3600" {
		t.Errorf("after a new certificate: %q, %v", got, err)
	}
	if got := redirected(t, n, "hello.localhost:8080"); got != "308 https://hello.localhost/" {
		t.Errorf("without TLS: %s", got)
	}
	if got := redirected(t, n, "example.com"); got != "404 " {
		t.Errorf("without TLS, where there is none: %s", got)
	}
}

func redirected(t *testing.T, n *node.Node, host string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+n.HTTPAddr()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location"))
}

// The address of TLS is the node's own, like the others.
func TestGuestsDontFetchFromTLS(t *testing.T) {
	n := mustStart(t, node.Config{TLS: node.TLS{Listen: "127.0.0.1:0", Certificates: []certs.Pair{mustPair(t, t.TempDir(), 1, "*.localhost")}}})
	mustDeploy(t, n, "fetch", fetchGuest("https://"+n.HTTPSAddr()+"/"))
	if status, _, err := get(n, "fetch.localhost"); err != nil || status == 200 {
		t.Errorf("got %d, %v", status, err)
	}
}

func TestStartWithoutCertificates(t *testing.T) {
	_, err := node.Start(t.Context(), node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", TLS: node.TLS{Listen: "127.0.0.1:0", Certificates: []certs.Pair{{Cert: "none.pem", Key: "none.key"}}}})
	if err == nil || !strings.Contains(err.Error(), "open certificates: read certificate: open none.pem") {
		t.Errorf("got %v", err)
	}
}
