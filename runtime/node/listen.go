package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

func (n *Node) listen() (err error) {
	front, err := listen(n.cfg.Listen, "node.listen or --listen")
	if err != nil {
		return err
	}
	n.frontLn = newPatientListener(front, maxConnections(), n.cfg.Logger)
	n.closers = append(n.closers, closeOnce(n.frontLn))
	if n.cfg.TLS.Listen != "" {
		secure, err := listen(n.cfg.TLS.Listen, "tls.listen")
		if err != nil {
			return err
		}
		n.tlsLn = n.frontLn.beside(secure)
		n.closers = append(n.closers, closeOnce(n.tlsLn))
	}
	if n.cfg.Admin == "" {
		return nil
	}
	admin, err := listen(n.cfg.Admin, "node.admin or --admin")
	if err != nil {
		return err
	}
	patient := newPatientListener(admin, n.cfg.AdminConns, n.cfg.Logger)
	patient.full = "connections to the control API wait: there are as many as there may be; raise admin_connections, or end some"
	n.adminLn = patient
	n.closers = append(n.closers, closeOnce(n.adminLn))
	return nil
}

// listen listens where a setting says.
func listen(addr, setting string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: stop the other program, or choose another address with %s", err, setting)
	case err != nil:
		return nil, fmt.Errorf("listen on %q, which is to be HOST:PORT, such as 127.0.0.1:8080: %w", addr, err)
	}
	return ln, nil
}

// closeOnce: the servers close their listeners as well.
func closeOnce(ln net.Listener) func() error {
	return func() error {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// frontListener understands the PROXY protocol where it is configured: the
// trusted proxies must speak it, others may not.
func (n *Node) frontListener(ln net.Listener) net.Listener {
	if !n.cfg.ProxyProtocol {
		return ln
	}
	return &proxyproto.Listener{
		Listener:          ln,
		ReadHeaderTimeout: 10 * time.Second,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if n.trusts(o.Upstream) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.REJECT, nil
		},
	}
}

func (n *Node) trusts(upstream net.Addr) bool {
	tcp, ok := upstream.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := tcp.AddrPort().Addr().Unmap()
	for _, p := range n.cfg.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// ownAddrs are the addresses that guests must not fetch from.
func (n *Node) ownAddrs() (addrs []netip.AddrPort) {
	listeners := []net.Listener{n.frontLn}
	if n.tlsLn != nil {
		listeners = append(listeners, n.tlsLn)
	}
	if n.adminLn != nil {
		listeners = append(listeners, n.adminLn)
	}
	for _, ln := range listeners {
		addrs = append(addrs, ln.Addr().(*net.TCPAddr).AddrPort())
	}
	return addrs
}
