package fetch

import (
	"net/netip"
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// A guard is a Policy and what the Node's own addresses are at this moment.
type guard struct {
	policy    Policy
	own       []netip.Addr
	listeners []netip.AddrPort
}

const ask = "the node's [egress] configuration must allow it"

// check says why a connection to an address must not be made, or nil. name is
// the host as the guest wrote it: the address itself, or what resolved to it.
func (g *guard) check(name string, to netip.AddrPort) *host.Error {
	to = netip.AddrPortFrom(plain(to.Addr()), to.Port())
	opened := g.policy.opens(name, to)
	class := classify(to.Addr())
	switch {
	case matchesAny(g.policy.Deny, name, to):
		return host.Errorf(host.CodeDenied, "%s is denied by the node's [egress] configuration", name)
	case g.policy.Only != nil && !matchesAny(g.policy.Only, name, to):
		return host.Errorf(host.CodeDenied, "%s is not among the only hosts that the node's [egress] configuration allows", name)
	case g.isListener(to) && !opened.listener, g.isOwn(to.Addr()) && !opened.address:
		return host.Errorf(host.CodeDenied, "%s an address of the node itself; %s", is(name, to), ask)
	case class != nil && !opened.address && !(class.private && (g.policy.AllowPrivate || opened.private)):
		return host.Errorf(host.CodeDenied, "%s %s; %s", is(name, to), class.name, ask)
	case !opened.port && !g.policy.opensPort(to.Port()):
		return host.Errorf(host.CodeDenied, "port %d of %s is closed to Functions, unlike 80, 443 and 8080; %s", to.Port(), name, ask)
	}
	return nil
}

// is begins a message without telling a guest what a name resolves to.
func is(name string, to netip.AddrPort) string {
	if name == to.Addr().String() {
		return name + " is"
	}
	return name + " resolves to"
}

// isOwn leaves loopback to its class: AllowPrivate is to open it.
func (g *guard) isOwn(addr netip.Addr) bool {
	return !addr.IsLoopback() && slices.Contains(g.own, addr)
}

// isListener counts a listener on the unspecified address as one on every own
// address; the kernel takes a connection to that address for one to loopback.
func (g *guard) isListener(to netip.AddrPort) bool {
	local := to.Addr().IsLoopback() || to.Addr().IsUnspecified() || slices.Contains(g.own, to.Addr())
	for _, l := range g.listeners {
		addr := plain(l.Addr())
		if l.Port() == to.Port() && (addr == to.Addr() || local && (addr.IsUnspecified() || to.Addr().IsUnspecified())) {
			return true
		}
	}
	return false
}
