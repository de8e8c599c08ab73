package certs_test

import (
	"crypto/tls"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/certs/certstest"
)

// site is a server whose certificates come from an authority.
type site struct {
	t     testing.TB
	certs *certs.Certs
	log   *logtest.Buffer
	tls   net.Listener
}

// ports are two listeners: for HTTP-01 and for TLS-ALPN-01.
func ports(t testing.TB) (plain, secure net.Listener) {
	t.Helper()
	return must(net.Listen("tcp", "127.0.0.1:0"))(t), must(net.Listen("tcp", "127.0.0.1:0"))(t)
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// startSite serves with certificates from an authority, for hosts below ours.test.
func startSite(t testing.TB, a *certstest.Authority, dir string, plain, secure net.Listener, edit ...func(*certs.ACME)) *site {
	t.Helper()
	s := &site{t: t, log: new(logtest.Buffer), tls: secure}
	acme := &certs.ACME{Email: "operator@ours.test", Directory: a.Directory, CAFile: a.Root, Dir: dir,
		Hosts: func(host string) bool { return strings.HasSuffix(host, ".ours.test") }}
	for _, e := range edit {
		e(acme)
	}
	s.certs = must(certs.New(certs.Config{Logger: s.log.Logger(), ACME: acme}))(t)
	t.Cleanup(func() { s.certs.Close() })
	if plain != nil {
		go http.Serve(plain, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:errcheck // until it is closed
			if token, ok := s.certs.Challenge([]byte(r.Host), []byte(r.URL.Path)); ok {
				w.Write(token)
				return
			}
			http.NotFound(w, r)
		}))
	}
	secured := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	go secured.Serve(tls.NewListener(secure, s.certs.TLS())) //nolint:errcheck // until it is closed
	t.Cleanup(func() {
		secured.Close()
		if plain != nil {
			plain.Close()
		}
	})
	return s
}

// serial asks the site as a client that names a host.
func (s *site) serial(host string) (string, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Minute}, Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}} //nolint:gosec // the authority is the test's own
	c, err := d.DialContext(s.t.Context(), "tcp", s.tls.Addr().String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	leaf := c.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return leaf.SerialNumber.String(), leaf.VerifyHostname(host)
}

func TestIssued(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	dir := filepath.Join(t.TempDir(), "acme")
	s := startSite(t, a, dir, plain, secure)
	first := must(s.serial("greet.ours.test"))(t)
	if again := must(s.serial("GREET.ours.test"))(t); again != first {
		t.Errorf("another certificate the second time: %s, then %s", first, again)
	}
	if other := must(s.serial("shop.ours.test"))(t); other == first {
		t.Error("two hosts have one certificate")
	}
	orders := a.Orders.Load()
	if orders < 2 { // one that took too long is made again
		t.Errorf("%d orders, want one for each host", orders)
	}
	checkPrivate(t, dir)

	// After a restart nobody is asked again.
	a.Down.Store(true)
	_, again := ports(t)
	if got := must(startSite(t, a, dir, nil, again).serial("greet.ours.test"))(t); got != first {
		t.Errorf("after a restart: %s, want %s", got, first)
	}
	if got := a.Orders.Load(); got != orders {
		t.Errorf("%d orders after a restart, want %d", got, orders)
	}
}

// checkPrivate wants that only the owner can read what is kept.
func checkPrivate(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if mode := must(d.Info())(t).Mode(); mode&0o077 != 0 {
			t.Errorf("%s has mode %v", path, mode)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Either way of showing whose a host is does alone.
func TestIssuedOverTLSAlone(t *testing.T) {
	plain, secure := ports(t)
	plain.Close() // nobody answers there
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	s := startSite(t, a, t.TempDir(), nil, secure)
	must(s.serial("greet.ours.test"))(t)
}

func TestIssuedOverHTTPAlone(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), 1, 3600)
	s := startSite(t, a, t.TempDir(), plain, secure)
	must(s.serial("greet.ours.test"))(t)
}

// Whatever clients name, nothing is asked of the authority for what is not ours.
func TestForeignHosts(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	s := startSite(t, a, t.TempDir(), plain, secure)
	for _, host := range []string{"", "example.com", "ours.test", "localhost", "x.localhost", "127.0.0.1", "-.test", strings.Repeat("a.", 100) + "test"} {
		if serial, err := s.serial(host); err == nil {
			t.Errorf("%q got certificate %s", host, serial)
		}
		if s.certs.Has(host) {
			t.Errorf("%q is to have one", host)
		}
	}
	if got := a.Orders.Load(); got != 0 {
		t.Errorf("%d orders", got)
	}
}

// always renews: certificates are valid for less long.
func always(c *certs.ACME) { c.RenewBefore = 24 * time.Hour }

func TestRenewed(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	s := startSite(t, a, t.TempDir(), plain, secure, always)
	first := must(s.serial("greet.ours.test"))(t)
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if now, err := s.serial("greet.ours.test"); err == nil && now != first {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the certificate was never renewed")
		}
	}
}

// While the authority is down, what it has issued goes on, and the log says so;
// hosts that have nothing yet wait before they ask again.
func TestAuthorityIsDown(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	s := startSite(t, a, t.TempDir(), plain, secure, always)
	must(s.serial("greet.ours.test"))(t)
	a.Down.Store(true)
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(s.log.String(), "the certificate authority refuses"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody asked for a renewal, or the log does not say that it failed")
		}
	}
	const handshakes = 10
	before := a.Orders.Load() // the renewal that failed may still order for other challenges
	serials := map[string]bool{}
	for range handshakes {
		serials[must(s.serial("greet.ours.test"))(t)] = true
	}
	if len(serials) > 2 { // what was issued last may not have been in use yet
		t.Errorf("%d certificates from an authority that is down", len(serials))
	}
	if orders := a.Orders.Load() - before; orders >= handshakes {
		t.Errorf("%d orders for %d handshakes", orders, handshakes)
	}
}

func TestFailedHostWaits(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	a.Down.Store(true)
	s := startSite(t, a, t.TempDir(), plain, secure)
	if _, err := s.serial("greet.ours.test"); err == nil {
		t.Fatal("there is a certificate from an authority that is down")
	}
	a.Down.Store(false)
	if _, err := s.serial("greet.ours.test"); err == nil {
		t.Error("it was asked again at once")
	}
	if !strings.Contains(s.log.String(), "no certificate from the authority") || !strings.Contains(s.log.String(), "again=1m0s") {
		t.Errorf("the log says %s", s.log.String())
	}
	must(s.serial("shop.ours.test"))(t) // others do not wait
}

// A node that ends does not wait for the authority.
func TestCloseEndsIssuing(t *testing.T) {
	plain, secure := ports(t)
	a := certstest.NewAuthority(t, portOf(plain), portOf(secure), 3600)
	s := startSite(t, a, t.TempDir(), plain, secure)
	s.certs.Close()
	if _, err := s.serial("greet.ours.test"); err == nil {
		t.Error("a certificate was issued after the end")
	}
	if got := a.Orders.Load(); got != 0 {
		t.Errorf("%d orders", got)
	}
}
