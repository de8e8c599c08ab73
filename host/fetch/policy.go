package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// Policy is where the operator of a Node lets an account's Functions connect.
// The zero value allows public addresses on ports 80, 443 and 8080.
type Policy struct {
	// AllowPrivate opens loopback, private (RFC 1918, RFC 4193) and shared (RFC
	// 6598) addresses, but not the Node's own, link-local or metadata addresses.
	AllowPrivate bool
	// HighPorts opens the ports above 1023, but not those of other protocols that
	// browsers don't ask, either.
	HighPorts bool
	// Allow opens what is closed otherwise. A Rule with a prefix opens its
	// addresses, whatever their class. A Rule with a host opens the private
	// addresses that the name resolves to, so that whoever answers for the name
	// is not trusted with more. A Rule with a port opens that port too, even
	// where the Node itself listens on an address of the Rule's prefix.
	Allow []Rule
	// Only, unless nil, closes everything that no Rule of it matches.
	Only []Rule
	// Deny closes what its Rules match, and wins over everything else.
	Deny []Rule
}

// Rule matches destinations by name or by address, and by port. It is made by
// ParseRule.
type Rule struct {
	Host   string       // a name, or "*." and a name for its subdomains
	Prefix netip.Prefix // valid where Host is empty
	Port   uint16       // 0 matches any
}

// ParseRule reads "host", "*.host", "address" or "address/bits"; each but the
// last may end in ":port", before which an IPv6 address stands in brackets.
func ParseRule(s string) (Rule, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return prefixRule(p, 0)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return addrRule(a, 0)
	}
	if ap, err := netip.ParseAddrPort(s); err == nil && ap.Port() != 0 {
		return addrRule(ap.Addr(), ap.Port())
	}
	if _, host, isURL := strings.Cut(s, "://"); isURL {
		return Rule{}, fmt.Errorf("egress rule %q is a URL; write its host alone: %q", s, strings.TrimSuffix(host, "/"))
	}
	name, port, found := strings.Cut(s, ":")
	rule := Rule{Host: strings.ToLower(name)}
	if found {
		n, ok := parsePort(port)
		if !ok {
			return Rule{}, fmt.Errorf("egress rule %q: port is not a number from 1 to 65535", s)
		}
		rule.Port = n
	}
	if base := strings.TrimPrefix(rule.Host, "*."); !isName(base) || endsInNumber(base) {
		return Rule{}, fmt.Errorf("egress rule %q is neither a host, an address nor a prefix", s)
	}
	return rule, nil
}

func addrRule(a netip.Addr, port uint16) (Rule, error) {
	if a.Zone() != "" {
		return Rule{}, fmt.Errorf("egress rule %q: an address has no zone here", a)
	}
	a = a.Unmap()
	return prefixRule(netip.PrefixFrom(a, a.BitLen()), port)
}

func prefixRule(p netip.Prefix, port uint16) (Rule, error) {
	if p.Addr().Is4In6() {
		return Rule{}, fmt.Errorf("egress rule %q: write the prefix as IPv4", p)
	}
	return Rule{Prefix: p.Masked(), Port: port}, nil
}

func (r Rule) matches(name string, to netip.AddrPort) bool {
	if r.Port != 0 && r.Port != to.Port() {
		return false
	}
	if r.Host != "" {
		return matchHost(r.Host, name)
	}
	return r.Prefix.Contains(to.Addr())
}

// matchHost compares a name with a pattern, which "*." opens to subdomains.
func matchHost(pattern, name string) bool {
	if base, found := strings.CutPrefix(pattern, "*"); found && strings.HasPrefix(base, ".") {
		n := len(name) - len(base)
		return n > 0 && strings.EqualFold(name[n:], base)
	}
	return strings.EqualFold(pattern, name)
}

// checkEgress applies what a manifest says of the hosts to be fetched from. It
// narrows, and so never asks what the Policy allows.
func checkEgress(egress []string, name string) *host.Error {
	if egress == nil || slices.ContainsFunc(egress, func(p string) bool { return matchHost(p, name) }) {
		return nil
	}
	return host.Errorf(host.CodeDenied, "%s is not among the egress hosts of the Function's manifest", name)
}

func (p Policy) equal(q Policy) bool {
	return p.AllowPrivate == q.AllowPrivate && p.HighPorts == q.HighPorts &&
		slices.Equal(p.Allow, q.Allow) && slices.Equal(p.Deny, q.Deny) &&
		slices.Equal(p.Only, q.Only) && (p.Only == nil) == (q.Only == nil)
}

// opened is what the Rules of Policy.Allow open for one destination.
type opened struct{ private, address, port, listener bool }

func (p Policy) opens(name string, to netip.AddrPort) (o opened) {
	for _, r := range p.Allow {
		if !r.matches(name, to) {
			continue
		}
		byAddr, byPort := r.Host == "", r.Port != 0
		o.private = true
		o.address = o.address || byAddr
		o.port = o.port || byPort
		o.listener = o.listener || byAddr && byPort
	}
	return o
}

func (p Policy) opensPort(port uint16) bool {
	return port == 80 || port == 443 || port == 8080 || p.HighPorts && port > 1023 && !isForeign(port)
}

// isForeign says whether a high port is that of another protocol, in which a request
// might be taken for something else: https://fetch.spec.whatwg.org/#port-blocking
func isForeign(port uint16) bool {
	switch port {
	case 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080:
		return true
	}
	return port >= 6665 && port <= 6669
}

func matchesAny(rules []Rule, name string, to netip.AddrPort) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.matches(name, to) })
}
