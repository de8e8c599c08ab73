package node

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// TLS configures serving Functions over TLS: HTTP/1.1 and HTTP/2. It needs
// Certificates, ACME or both.
type TLS struct {
	Listen       string        // HOST:PORT; empty for none
	PublicPort   int           // by which clients reach it; default that of Listen
	Certificates []certs.Pair  // files; see certs.Config
	ACME         *certs.ACME   // whose Dir and Hosts are the node's; nil for none
	Redirect     bool          // requests without TLS, for hosts that have it
	HSTS         time.Duration // for which browsers are to come by TLS alone; 0 to say nothing
}

// HTTPSAddr is the address at which Functions answer over TLS; empty if there is
// none.
func (n *Node) HTTPSAddr() string {
	if n.tlsLn == nil {
		return ""
	}
	return n.tlsLn.Addr().String()
}

// Reload reads files of certificates again. One that is no good is logged, and the
// certificate from before goes on.
func (n *Node) Reload() {
	if n.certs != nil {
		n.certs.Reload(true)
	}
}

// openCerts reads the certificates, and looks after them while the node runs.
func (n *Node) openCerts() (err error) {
	if n.tlsLn == nil {
		return nil
	}
	cfg := certs.Config{Pairs: n.cfg.TLS.Certificates, Logger: n.cfg.Logger}
	if n.cfg.TLS.ACME != nil {
		acme := *n.cfg.TLS.ACME
		acme.Dir, acme.Hosts = n.dir().ACME(), n.registry.HasHost
		cfg.ACME = &acme
	}
	if n.certs, err = certs.New(cfg); err != nil {
		return fmt.Errorf("open certificates: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { n.certs.Watch(ctx) })
	n.closers = append(n.closers, func() error {
		stop()
		watching.Wait()
		return n.certs.Close()
	})
	return nil
}

// serveTLS says at once when something else than Shutdown ended it.
func (n *Node) serveTLS() error {
	err := n.front.ServeTLS(n.frontListener(n.tlsLn), n.certs.TLS())
	if err != nil && !n.draining.Load() {
		n.cfg.Logger.Error("Functions are no longer served over TLS", "err", err)
	}
	return err
}

// secure adds what the front end does because there is TLS as well.
func (n *Node) secure(cfg *trigger.HTTPConfig) {
	if n.certs == nil {
		return
	}
	cfg.Challenge = n.certs.Challenge
	if n.cfg.TLS.HSTS > 0 {
		cfg.HSTS = fmt.Sprintf("max-age=%d", n.cfg.TLS.HSTS/time.Second)
	}
	if n.cfg.TLS.Redirect {
		cfg.Redirect = func(host []byte) (string, bool) {
			return n.authority(string(host)), n.certs.Has(string(host))
		}
	}
}

// authority is where clients reach a host over TLS. The port that the host may have
// is another.
func (n *Node) authority(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	port := strconv.Itoa(n.cfg.TLS.PublicPort)
	if n.cfg.TLS.PublicPort == 0 {
		_, port, _ = net.SplitHostPort(n.HTTPSAddr())
	}
	if port == "443" {
		return host
	}
	return net.JoinHostPort(host, port)
}
