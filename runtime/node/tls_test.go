package node_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/certs/certstest"
	"github.com/mayfly-run/mayfly/runtime/node"
)

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
	resp, err := (&http.Client{Transport: transport, Timeout: 2 * time.Minute}).Get("https://" + host + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return fmt.Sprintf("%s %d %d %s", resp.Proto, resp.StatusCode, resp.TLS.PeerCertificates[0].SerialNumber, resp.Header.Get("Strict-Transport-Security")), nil
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	n := mustStart(t, node.Config{TLS: node.TLS{Listen: "127.0.0.1:0", Redirect: true, HSTS: time.Hour, PublicPort: 443,
		Certificates: []certs.Pair{certstest.Pair(t, dir, 1, "*.localhost")}}})
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
	certstest.Pair(t, dir, 2, "*.localhost")
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
	n := mustStart(t, node.Config{TLS: node.TLS{Listen: "127.0.0.1:0", Certificates: []certs.Pair{certstest.Pair(t, t.TempDir(), 1, "*.localhost")}}})
	mustDeploy(t, n, "fetch", fetchGuest("https://"+n.HTTPSAddr()+"/"))
	if status, _, err := get(n, "fetch.localhost"); err != nil || status == 200 {
		t.Errorf("got %d, %v", status, err)
	}
}

// A node gets a certificate for a host of a Function when it is first asked for, and
// answers the authority's challenge although it redirects everything else.
func TestACME(t *testing.T) {
	const domain = "functions.test"
	ports := porttest.Ports(t, 2)
	plain, secure := ports[0], ports[1]
	authority := certstest.NewAuthority(t, plain, 1, 3600) // nothing answers at port 1: by HTTP-01 alone
	n, err := node.Start(t.Context(), node.Config{
		Data: t.TempDir(), Domain: domain, Listen: fmt.Sprintf("127.0.0.1:%d", plain), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		TLS: node.TLS{Listen: fmt.Sprintf("127.0.0.1:%d", secure), Redirect: true,
			ACME: &certs.ACME{Directory: authority.Directory, CAFile: authority.Root}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Shutdown(context.Background()) })
	if _, err := overTLS(n, "hello."+domain, true); err == nil || authority.Orders.Load() != 0 {
		t.Errorf("a host that nobody has: %v, %d orders", err, authority.Orders.Load())
	}
	mustDeploy(t, n, "hello", hello("hello"))
	if got := redirected(t, n, "hello."+domain); got != fmt.Sprintf("308 https://hello.%s:%d/", domain, secure) {
		t.Errorf("without TLS: %s", got)
	}
	eventually(t, "the Function answers over TLS", func() bool { // a handshake waits for 10 s
		got, err := overTLS(n, "hello."+domain, true)
		if err == nil && !strings.HasPrefix(got, "HTTP/2.0 200 ") {
			t.Fatalf("got %q", got)
		}
		return err == nil
	})
}

// The PROXY protocol stands in front of TLS, and the address in it counts.
func TestProxyProtocolOverTLS(t *testing.T) {
	n := mustStart(t, node.Config{ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxConnsPerIP: 5,
		TLS: node.TLS{Listen: "127.0.0.1:0", Certificates: []certs.Pair{certstest.Pair(t, t.TempDir(), 1, "*.localhost")}}})
	mustDeploy(t, n, "client", clientGuest())
	for header, want := range map[string]string{"PROXY TCP4 203.0.113.9 192.0.2.1 4321 443\r\n": "203.0.113.9", "": "closed", "PROXY nonsense\r\n": "closed"} {
		for _, protocol := range []string{"h2", "http/1.1"} {
			if got := throughProxy(t, n.HTTPSAddr(), header, protocol); got != want {
				t.Errorf("%q, %s: got %q, want %q", header, protocol, got, want)
			}
		}
	}
}

// throughProxy asks who the client is behind a header of the PROXY protocol.
func throughProxy(t *testing.T, addr, header, protocol string) string {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: protocol == "h2", DisableKeepAlives: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return nil, err
			}
			io.WriteString(c, header)                                                                        //nolint:errcheck // the handshake fails as well
			return tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}), nil //nolint:gosec // the certificate is the test's own
		}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 2 * time.Minute}).Get("https://client.localhost/")
	if err != nil {
		return "closed"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || protocol == "h2" && resp.ProtoMajor != 2 {
		t.Errorf("%s: got %s, %v", protocol, resp.Proto, err)
	}
	return string(body)
}

func TestStartWithoutCertificates(t *testing.T) {
	_, err := node.Start(t.Context(), node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", TLS: node.TLS{Listen: "127.0.0.1:0", Certificates: []certs.Pair{{Cert: "none.pem", Key: "none.key"}}}})
	if err == nil || !strings.Contains(err.Error(), "open certificates: read certificate: open none.pem") {
		t.Errorf("got %v", err)
	}
}
