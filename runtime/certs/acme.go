package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/sync/singleflight"
)

// ACME says where certificates come from that are issued as clients ask for them.
// Dir and Hosts are required.
type ACME struct {
	Email     string // the authority writes to; may be empty
	Directory string // the authority's URL; default Let's Encrypt's
	CAFile    string // PEM file of roots that the directory's own certificate hangs on; default the system's
	Dir       string // where keys and certificates are kept, mode 0700
	// Hosts reports whether a host, in lower case, is one of the node's own. None is
	// asked for that is not, so that nobody can use up what the authority allows.
	Hosts func(host string) bool
	// RenewBefore is how long before its end a certificate is renewed, at most 30 days;
	// default a third of its life.
	RenewBefore time.Duration
}

// authority gets certificates over ACME, and renews them.
type authority struct {
	manager  autocert.Manager
	hosts    func(string) bool
	tokens   http.Handler // answers HTTP-01 challenges
	log      *slog.Logger
	folder   *folder
	cancel   context.CancelFunc
	asking   singleflight.Group // by host
	mu       sync.Mutex         // guards failures
	failures map[string]*pause  // by host
}

func newAuthority(cfg ACME, log *slog.Logger) (*authority, error) {
	if cfg.Directory == "" {
		cfg.Directory = autocert.DefaultACMEDirectory
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of certificates: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	transport, err := newTransport(ctx, cfg.CAFile, log)
	if err != nil {
		cancel()
		return nil, err
	}
	a := &authority{hosts: cfg.Hosts, log: log, folder: &folder{DirCache: autocert.DirCache(cfg.Dir)}, cancel: cancel, failures: map[string]*pause{}}
	a.manager = autocert.Manager{
		Prompt: autocert.AcceptTOS, Email: cfg.Email, Cache: a.folder, HostPolicy: a.policy, RenewBefore: cfg.RenewBefore,
		Client: &acme.Client{DirectoryURL: cfg.Directory, HTTPClient: &http.Client{Transport: transport, Timeout: time.Minute}},
	}
	a.tokens = a.manager.HTTPHandler(http.NotFoundHandler())
	return a, nil
}

// stop gives up what is asked for, and waits for what is being written.
func (a *authority) stop() {
	a.cancel()
	a.folder.close()
}

// allows reports whether certificates are asked for a host. No authority would issue
// one for this machine alone.
func (a *authority) allows(name string) bool {
	return strings.Contains(name, ".") && !strings.HasSuffix(name, ".localhost") && a.hosts(name)
}

func (a *authority) policy(_ context.Context, host string) error {
	if !a.allows(hostName(host)) {
		return fmt.Errorf("no Function answers on %q", host)
	}
	return nil
}

// isChallenge: RFC 8737, section 3.
func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
}

// certificate is the one for a client, which may be issued for it. That goes on when
// the client leaves, for the next one.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if isChallenge(hello) {
		return a.manager.GetCertificate(hello)
	}
	name := hostName(hello.ServerName)
	if wait := a.waits(name); wait > 0 {
		return nil, fmt.Errorf("no certificate for %s: it could not be had, and is asked for again in %s", name, wait.Round(time.Second))
	}
	asked := a.asking.DoChan(name, func() (any, error) { // bounded by autocert's own time of five minutes
		cert, err := a.manager.GetCertificate(helloOf(name))
		a.note(name, err)
		return cert, err
	})
	select {
	case got := <-asked:
		cert, _ := got.Val.(*tls.Certificate)
		return cert, got.Err
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
}

// helloOf asks for a certificate with an elliptic curve, which all clients of TLS
// 1.2 and up understand: one for each host is enough.
func helloOf(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// pause is how long a host waits that got no certificate: authorities count
// failures, and then refuse everything for hours.
type pause struct {
	until time.Time
	next  time.Duration
}

const (
	firstPause = time.Minute
	lastPause  = 6 * time.Hour
)

func (a *authority) waits(name string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.failures[name]; p != nil {
		return time.Until(p.until)
	}
	return 0
}

// note keeps how asking for a certificate went. Hosts are those of Functions, so
// there are not many.
func (a *authority) note(name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.failures[name]
	switch {
	case err == nil:
		delete(a.failures, name)
		return
	case p != nil && time.Now().Before(p.until): // of several at the same time
		return
	case p == nil:
		p = &pause{next: firstPause}
		a.failures[name] = p
	}
	a.log.Error("no certificate from the authority", "host", name, "again", p.next, "err", err)
	p.until = time.Now().Add(p.next)
	p.next = min(2*p.next, lastPause)
}

// challenge answers the authority by HTTP.
func (a *authority) challenge(host, path string) ([]byte, bool) {
	var w recorder
	a.tokens.ServeHTTP(&w, &http.Request{Method: http.MethodGet, Host: host, URL: &url.URL{Path: path}})
	return w.body, w.status == 0 && w.body != nil
}

// recorder is an http.ResponseWriter that keeps what it was told.
type recorder struct {
	status int
	body   []byte
}

func (w *recorder) Header() http.Header         { return http.Header{} }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { w.body = append(w.body, b...); return len(b), nil }

// transport speaks to the authority until ctx ends, and logs what fails: autocert
// says nothing about renewals.
type transport struct {
	base http.RoundTripper
	done <-chan struct{}
	log  *slog.Logger
}

func newTransport(ctx context.Context, caFile string, log *slog.Logger) (*transport, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		roots, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read roots of the ACME directory: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(roots) {
			return nil, fmt.Errorf("%s has no certificates; it must be a PEM file", caFile)
		}
		base.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	context.AfterFunc(ctx, base.CloseIdleConnections)
	return &transport{base: base, done: ctx.Done(), log: log}, nil
}

var errStopped = errors.New("the node is shutting down")

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-t.done:
		return nil, errStopped
	default:
	}
	resp, err := t.base.RoundTrip(r)
	switch {
	case err != nil:
		t.log.Warn("the certificate authority can't be asked", "url", r.URL.String(), "err", err)
	case resp.StatusCode >= 400:
		t.log.Warn("the certificate authority refuses", "url", r.URL.String(), "status", resp.StatusCode)
	}
	return resp, err
}
