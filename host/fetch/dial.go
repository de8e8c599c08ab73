package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

const (
	resolveTimeout = 5 * time.Second
	connectTimeout = 10 * time.Second // for all addresses of a name
	maxAttempts    = 4                // addresses of a name that are tried
)

// A dialer connects to checked addresses only.
type dialer struct {
	cfg    *Config
	policy Policy
}

// dial resolves a host once, checks every answer, and connects to one of those
// very addresses. The transport calls it with "host:port".
func (d *dialer) dial(ctx context.Context, _, target string) (net.Conn, error) {
	name, text, err := net.SplitHostPort(target)
	if err != nil {
		return nil, fmt.Errorf("split target: %w", err)
	}
	port, ok := parsePort(text)
	if !ok {
		return nil, host.Errorf(host.CodeInvalid, "port %s is not a number from 1 to 65535", text)
	}
	addrs, err := d.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	g, err := d.guard()
	if err != nil {
		return nil, err
	}
	for i, addr := range addrs {
		addrs[i] = plain(addr)
		if refused := g.check(name, netip.AddrPortFrom(addr, port)); refused != nil {
			return nil, refused
		}
	}
	return g.connect(ctx, name, addrs, port)
}

func (d *dialer) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := d.cfg.Resolver.LookupNetIP(ctx, "ip", name)
	if err != nil && isTimeout(err) {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	if err != nil || len(addrs) == 0 {
		return nil, host.Errorf(host.CodeUnavailable, "%s cannot be resolved; check the name", name)
	}
	return addrs, nil
}

func (d *dialer) guard() (*guard, error) {
	own, err := d.cfg.OwnAddrs()
	if err != nil {
		return nil, host.Errorf(host.CodeUnavailable, "the node does not know its own addresses at the moment")
	}
	return &guard{policy: d.policy, own: own, listeners: d.cfg.Listeners()}, nil
}

// connect tries the addresses in turn, each for its share of the time left.
func (g *guard) connect(ctx context.Context, name string, addrs []netip.Addr, port uint16) (conn net.Conn, err error) {
	deadline := time.Now().Add(connectTimeout)
	addrs = addrs[:min(len(addrs), maxAttempts)]
	for i, addr := range addrs {
		share := time.Until(deadline) / time.Duration(len(addrs)-i)
		d := net.Dialer{Timeout: share, ControlContext: g.control(name)}
		conn, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, port).String())
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return conn, err
}

// control checks the address that a socket is about to be connected to, once
// more: whatever the steps before it did, this is where the packets go.
func (g *guard) control(name string) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("parse socket address: %w", err)
		}
		if refused := g.check(name, to); refused != nil {
			return refused
		}
		return nil
	}
}

func interfaceAddrs() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.Addr, 0, len(found))
	for _, f := range found {
		if p, err := netip.ParsePrefix(f.String()); err == nil {
			addrs = append(addrs, plain(p.Addr()))
		}
	}
	return addrs, nil
}
