package fetch

import (
	"net/netip"

	"github.com/mayfly-run/mayfly/host"
)

var (
	ParseURL        = parseURL
	RequestHeader   = requestHeader
	ResponseHeaders = responseHeaders
	AppendLoop      = appendLoop
	Classify        = func(a netip.Addr) bool { return classify(plain(a)) == nil }
)

// Check is what a guard says of one destination.
func Check(p Policy, own []netip.Addr, listeners []netip.AddrPort, name string, to netip.AddrPort) *host.Error {
	return (&guard{policy: p, own: own, listeners: listeners}).check(name, to)
}

// Control is what a socket is asked before it connects.
func Control(p Policy, name, address string) error {
	g := &guard{policy: p}
	return g.control(name)(nil, "tcp4", address, nil)
}

const MaxPools = maxPools

// Pools is how many accounts' connections are kept.
func (c *Client) Pools() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pools)
}
