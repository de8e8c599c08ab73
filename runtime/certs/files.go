package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// files are the certificates that came from files.
type files struct {
	log *slog.Logger
	now atomic.Pointer[table]

	mu    sync.Mutex // guards pairs
	pairs []loaded
}

// loaded is a pair as it was read last.
type loaded struct {
	Pair
	cert *tls.Certificate
	seen [2]stamp // of the files, when they were read
}

// stamp tells one state of a file from another.
type stamp struct {
	time time.Time
	size int64
}

func openFiles(pairs []Pair, log *slog.Logger) (*files, error) {
	f := &files{log: log}
	for _, p := range pairs {
		l := loaded{Pair: p, seen: p.stamps()}
		var err error
		if l.cert, err = p.load(log); err != nil {
			return nil, err
		}
		f.pairs = append(f.pairs, l)
	}
	f.now.Store(tableOf(f.pairs))
	return f, nil
}

// load reads both files.
func (p Pair) load(log *slog.Logger) (*tls.Certificate, error) {
	cert, err := os.ReadFile(p.Cert)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	key, err := os.ReadFile(p.Key)
	if err != nil {
		return nil, fmt.Errorf("read key of certificate %s: %w", p.Cert, err)
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w; both must be PEM files, and the key the one that the certificate was made for", p.Cert, p.Key, err)
	}
	if len(c.Leaf.DNSNames)+len(c.Leaf.IPAddresses) == 0 {
		return nil, fmt.Errorf("certificate %s names no host as a subject alternative name, and clients go by those alone; make one that does", p.Cert)
	}
	p.warn(&c, log)
	return &c, nil
}

// warn about what is served all the same.
func (p Pair) warn(c *tls.Certificate, log *slog.Logger) {
	if time.Now().After(c.Leaf.NotAfter) {
		log.Warn("a certificate has expired: replace its file", "certificate", p.Cert, "expired", c.Leaf.NotAfter)
	}
	if info, err := os.Stat(p.Key); err == nil && info.Mode()&0o007 != 0 {
		log.Warn("everybody on this machine can read a certificate's key: chmod it to 0600", "key", p.Key)
	}
}

func (p Pair) stamps() (s [2]stamp) {
	for i, file := range []string{p.Cert, p.Key} {
		if info, err := os.Stat(file); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

// Reload reads files that have changed since they were read, or all of them. One
// that is no good is logged, and what was read before stays.
func (c *Certs) Reload(all bool) {
	f := c.files
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := false
	for i := range f.pairs {
		l := &f.pairs[i]
		stamps := l.stamps()
		if !all && stamps == l.seen {
			continue
		}
		l.seen = stamps
		cert, err := l.load(f.log)
		if err != nil {
			f.log.Error("the certificate that was read before goes on", "err", err, "expires", l.cert.Leaf.NotAfter)
			continue
		}
		l.cert, changed = cert, true
		f.log.Info("certificate read", "certificate", l.Cert, "hosts", strings.Join(cert.Leaf.DNSNames, " "), "expires", cert.Leaf.NotAfter)
	}
	if changed {
		f.now.Store(tableOf(f.pairs))
	}
}

// watchEvery is how often files are looked at.
const watchEvery = 10 * time.Second

// Watch reloads what changes until ctx ends.
func (c *Certs) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.Reload(false)
		case <-ctx.Done():
			return
		}
	}
}

// table finds certificates by host. It is immutable.
type table struct {
	hosts map[string][]*tls.Certificate // "*." and a domain for those right below it
	first *tls.Certificate
}

func tableOf(pairs []loaded) *table {
	t := &table{hosts: map[string][]*tls.Certificate{}}
	for _, p := range pairs {
		for _, name := range p.cert.Leaf.DNSNames {
			name = hostName(name)
			t.hosts[name] = append(t.hosts[name], p.cert)
		}
		if t.first == nil {
			t.first = p.cert
		}
	}
	return t
}

// first may be nil.
func (f *files) first() *tls.Certificate { return f.now.Load().first }

// find returns a certificate for a host, of several one that a client can use, or
// nil. A nil hello can use all.
func (f *files) find(name string, hello *tls.ClientHelloInfo) *tls.Certificate {
	t := f.now.Load()
	certs := t.hosts[name]
	if i := strings.IndexByte(name, '.'); certs == nil && i > 0 {
		certs = t.hosts["*"+name[i:]]
	}
	for _, c := range certs {
		if hello == nil || hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	if len(certs) > 0 {
		return certs[0] // the handshake says what is wrong
	}
	return nil
}
