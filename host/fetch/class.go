package fetch

import "net/netip"

// A class is a block of addresses that guests don't reach.
type class struct {
	prefix  netip.Prefix
	name    string // completes "10.0.0.7 is ..."
	private bool   // Policy.AllowPrivate opens it
}

// globalIPv6 is what IANA allocates for global unicast; the rest is closed.
// https://www.iana.org/assignments/ipv6-address-space
var globalIPv6 = netip.MustParsePrefix("2000::/3")

var notGlobal = class{name: "not a global address (RFC 4291)"}

// classes is searched in order, so that exceptions precede their block.
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
var classes = []class{
	block("169.254.0.0/16", "a link-local or metadata address (RFC 3927)"),
	block("100.100.100.200/32", "a metadata address (Alibaba Cloud)"),
	block("168.63.129.16/32", "a metadata address (Azure)"),
	block("192.0.0.192/32", "a metadata address (Oracle Cloud)"),
	block("fd00:ec2::/32", "a metadata address (AWS)"),
	block("fd20:ce::254/128", "a metadata address (Google Cloud)"),
	block("fd00:c1::a9fe:a9fe/128", "a metadata address (Oracle Cloud)"),
	block("fd00:42::42/128", "a metadata address (Scaleway)"),

	private("127.0.0.0/8", "a loopback address (RFC 1122)"),
	private("::1/128", "a loopback address (RFC 4291)"),
	private("10.0.0.0/8", "a private address (RFC 1918)"),
	private("172.16.0.0/12", "a private address (RFC 1918)"),
	private("192.168.0.0/16", "a private address (RFC 1918)"),
	private("100.64.0.0/10", "a shared address (RFC 6598)"),
	private("fc00::/7", "a private address (RFC 4193)"),

	block("0.0.0.0/8", "an address of this network (RFC 791)"),
	block("192.0.0.0/24", "a protocol assignment (RFC 6890)"),
	block("192.0.2.0/24", "a documentation address (RFC 5737)"),
	block("198.51.100.0/24", "a documentation address (RFC 5737)"),
	block("203.0.113.0/24", "a documentation address (RFC 5737)"),
	block("192.88.99.0/24", "a 6to4 relay (RFC 7526)"),
	block("198.18.0.0/15", "a benchmarking address (RFC 2544)"),
	block("224.0.0.0/4", "a multicast address (RFC 5771)"),
	block("240.0.0.0/4", "a reserved or broadcast address (RFC 1112)"),

	block("::/128", "the unspecified address (RFC 4291)"),
	block("::ffff:0:0/96", "an IPv4-mapped address (RFC 4291)"), // unmapped before the search
	block("::/96", "an IPv4-compatible address (RFC 4291)"),
	block("64:ff9b::/96", "a NAT64 address (RFC 6052)"),
	block("64:ff9b:1::/48", "a local NAT64 address (RFC 8215)"),
	block("100::/64", "a discard address (RFC 6666)"),
	block("2001::/32", "a Teredo address (RFC 4380)"),
	block("2001::/23", "a protocol assignment (RFC 2928)"),
	block("2001:db8::/32", "a documentation address (RFC 3849)"),
	block("2002::/16", "a 6to4 address (RFC 3056)"),
	block("3fff::/20", "a documentation address (RFC 9637)"),
	block("fe80::/10", "a link-local address (RFC 4291)"),
	block("fec0::/10", "a site-local address (RFC 3879)"),
	block("ff00::/8", "a multicast address (RFC 4291)"),
}

func block(prefix, name string) class {
	return class{prefix: netip.MustParsePrefix(prefix), name: name}
}

func private(prefix, name string) class {
	return class{prefix: netip.MustParsePrefix(prefix), name: name, private: true}
}

// classify returns the class of a plain address, or nil for a public one.
func classify(addr netip.Addr) *class {
	for i := range classes {
		if classes[i].prefix.Contains(addr) {
			return &classes[i]
		}
	}
	if addr.Is6() && !globalIPv6.Contains(addr) {
		return &notGlobal
	}
	return nil
}

// plain strips the forms under which one address passes for another: a Prefix
// contains neither IPv4-mapped addresses nor those with a zone.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
