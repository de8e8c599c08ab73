// Package certs decides which certificate a client of TLS gets: one from the files
// that the node was given, else one that a certificate authority issues over ACME
// (RFC 8555). Start reading at Certs.
package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"golang.org/x/crypto/acme"
)

// Config of Certs: Pairs, ACME or both.
type Config struct {
	Pairs  []Pair // the first is for clients that name no host, or one that nobody has
	ACME   *ACME  // nil for none
	Logger *slog.Logger
}

// Pair are two PEM files: a certificate with those that it hangs on behind it, and
// its key.
type Pair struct{ Cert, Key string }

// Certs has the certificates of a node. It is safe for concurrent use.
type Certs struct {
	log   *slog.Logger
	files *files
	acme  *authority // nil without ACME
}

// New reads all files, and refuses what no client could be served with. The
// authority is not asked for anything yet. Close ends it.
func New(cfg Config) (*Certs, error) {
	if len(cfg.Pairs) == 0 && cfg.ACME == nil {
		return nil, errors.New("TLS needs certificates: give files, or an authority to get them from")
	}
	c := &Certs{log: cfg.Logger}
	var err error
	if c.files, err = openFiles(cfg.Pairs, cfg.Logger); err != nil {
		return nil, err
	}
	if cfg.ACME != nil {
		if c.acme, err = newAuthority(*cfg.ACME, cfg.Logger); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close gives up what is asked of the authority. Nothing is written afterwards.
func (c *Certs) Close() error {
	if c.acme != nil {
		c.acme.stop()
	}
	return nil
}

// TLS is a configuration for servers: TLS 1.2 and up, HTTP/2 and HTTP/1.1. The
// standard library changes the keys of session tickets daily, and has no
// renegotiation for servers.
func (c *Certs) TLS() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.certificate}
	if c.acme != nil {
		config.NextProtos = append(config.NextProtos, acme.ALPNProto)
	}
	return config
}

// certificate chooses for a client. What it named may be anything.
func (c *Certs) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hostName(hello.ServerName)
	if c.acme != nil && isChallenge(hello) {
		return c.acme.certificate(hello)
	}
	if cert := c.files.find(name, hello); cert != nil {
		return cert, nil
	}
	if c.acme != nil && c.acme.allows(name) {
		return c.acme.certificate(hello)
	}
	if cert := c.files.first(); cert != nil {
		return cert, nil
	}
	return nil, fmt.Errorf("no certificate for %q", name)
}

// Has reports whether a host, which may have a port, has a certificate or would get
// one.
func (c *Certs) Has(host string) bool {
	name := hostName(host)
	return c.files.find(name, nil) != nil || c.acme != nil && c.acme.allows(name)
}

// Challenge is the answer to an HTTP-01 challenge of the authority's, if there is one.
func (c *Certs) Challenge(host, path []byte) ([]byte, bool) {
	if c.acme == nil {
		return nil, false
	}
	return c.acme.challenge(hostName(string(host)), string(path))
}

// hostName is a host without a port, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
