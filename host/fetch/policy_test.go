package fetch_test

import (
	"net/netip"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
)

func mustRules(t testing.TB, texts ...string) []fetch.Rule {
	t.Helper()
	rules := []fetch.Rule{}
	for _, text := range texts {
		r, err := fetch.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	return rules
}

func TestPolicy(t *testing.T) {
	allow := func(rules ...string) fetch.Policy { return fetch.Policy{Allow: mustRules(t, rules...)} }
	private := fetch.Policy{AllowPrivate: true}
	high := fetch.Policy{AllowPrivate: true, HighPorts: true}
	tests := []struct {
		name   string
		policy fetch.Policy
		host   string // "" is the address
		to     string
		ok     bool
	}{
		{"public by default", fetch.Policy{}, "", public + ":443", true},
		{"public IPv6 by default", fetch.Policy{}, "", "[2606:4700::1111]:443", true},
		{"alternative port by default", fetch.Policy{}, "", public + ":8080", true},
		{"ssh", fetch.Policy{HighPorts: true}, "", public + ":22", false},
		{"high port", fetch.Policy{}, "", public + ":6379", false},
		{"high port opened", fetch.Policy{HighPorts: true}, "", public + ":6379", true},
		{"chat", fetch.Policy{HighPorts: true}, "", public + ":6667", false},
		{"calls", fetch.Policy{HighPorts: true}, "", public + ":5060", false},
		{"port opened by a rule", allow(public + ":22"), "", public + ":22", true},
		{"another port than the rule's", allow(public + ":22"), "", public + ":23", false},
		{"port opened for a host", allow("git.example.com:22"), "git.example.com", public + ":22", true},
		{"port opened for another host", allow("git.example.com:22"), "example.com", public + ":22", false},

		{"private", fetch.Policy{}, "", "10.0.0.7:80", false},
		{"private opened", private, "", "10.0.0.7:80", true},
		{"loopback opened", private, "", "[::1]:80", true},
		{"shared opened", private, "", "100.64.0.1:80", true},
		{"mapped private opened", private, "", "[::ffff:10.0.0.7]:80", true},
		{"opened by prefix", allow("10.0.0.0/8"), "db.internal", "10.0.0.7:80", true},
		{"opened by prefix, not its ports", allow("10.0.0.0/8"), "", "10.0.0.7:5432", false},
		{"opened by address", allow("10.0.0.7"), "", "10.0.0.7:80", true},
		{"next to the address opened", allow("10.0.0.7"), "", "10.0.0.8:80", false},
		{"opened by address and port", allow("10.0.0.7:5432"), "", "10.0.0.7:5432", true},
		{"opened by host", allow("*.internal"), "db.internal", "10.0.0.7:80", true},

		{"link-local with private", high, "", "169.254.1.1:80", false},
		{"metadata with private", high, "", "169.254.169.254:80", false},
		{"metadata in a shared range", high, "", "100.100.100.200:80", false},
		{"metadata in a private range", high, "", "[fd00:ec2::254]:80", false},
		{"metadata by host", allow("*.example.com"), "evil.example.com", "169.254.169.254:80", false},
		{"metadata by address", allow("169.254.169.254"), "", "169.254.169.254:80", true},
		{"NAT64 with private", high, "", "[64:ff9b::a00:7]:80", false},
		{"zone with private", high, "", "[fe80::1%lo]:80", false},

		{"own address", high, "", "203.0.113.9:80", false},
		{"own private address", high, "", "192.168.7.7:80", false},
		{"own address by host", allow("node.example.com"), "node.example.com", "203.0.113.9:80", false},
		{"own address by address", allow("203.0.113.9"), "", "203.0.113.9:80", true},
		{"loopback listener", high, "", "127.0.0.1:8788", false},
		{"next to the listener", high, "", "127.0.0.1:8789", true},
		{"listener by address", allow("127.0.0.1"), "", "127.0.0.1:8788", false},
		{"listener by address and port", allow("127.0.0.1:8788"), "", "127.0.0.1:8788", true},
		{"listener by host and port", allow("localhost:8788"), "localhost", "127.0.0.1:8788", false},
		{"wildcard listener on loopback", high, "", "127.0.0.1:9090", false},
		{"wildcard listener on IPv6", high, "", "[::1]:9090", false},
		{"wildcard listener on own address", allow("192.168.7.0/24", "192.168.7.7:1"), "", "192.168.7.7:9090", false},
		{"wildcard listener's port elsewhere", high, "", "10.0.0.7:9090", true},
		{"unspecified address of a listener", allow("0.0.0.0/0"), "", "0.0.0.0:8788", false},

		{"only, in it", fetch.Policy{Only: mustRules(t, "*.example.com")}, "a.example.com", public + ":80", true},
		{"only, not in it", fetch.Policy{Only: mustRules(t, "*.example.com")}, "example.net", public + ":80", false},
		{"only, empty", fetch.Policy{Only: []fetch.Rule{}}, "example.net", public + ":80", false},
		{"only opens nothing", fetch.Policy{Only: mustRules(t, "10.0.0.0/8")}, "", "10.0.0.7:80", false},
		{"denied by host", fetch.Policy{Deny: mustRules(t, "example.com")}, "example.com", public + ":80", false},
		{"denied by prefix", fetch.Policy{Deny: mustRules(t, "93.184.0.0/16")}, "example.com", public + ":80", false},
		{"denied and allowed", fetch.Policy{Allow: mustRules(t, public), Deny: mustRules(t, public)}, "", public + ":80", false},
	}
	own := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.168.7.7")}
	listeners := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8788"), netip.MustParseAddrPort("[::]:9090")}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to := netip.MustParseAddrPort(tt.to)
			name := tt.host
			if name == "" {
				name = to.Addr().String()
			}
			err := fetch.Check(tt.policy, own, listeners, name, to)
			if (err == nil) != tt.ok {
				t.Errorf("error = %v, want allowed %v", err, tt.ok)
			}
			if err != nil && err.Code != host.CodeDenied {
				t.Errorf("code = %v, want denied", err.Code)
			}
		})
	}
}

// TestAddressClasses looks at the first and last address of each block, and at
// its neighbours that are public.
func TestAddressClasses(t *testing.T) {
	closed := []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
		"127.0.0.0", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.255.255", "172.16.0.0",
		"172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.1", "192.168.0.0",
		"192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0",
		"203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
		"::", "::1", "::2", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1",
		"64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "100::1",
		"1fff:ffff::", "2001::", "2001:0:ffff::", "2001:1ff::", "2001:db8::", "2001:db8:ffff::", "2002::",
		"2002:ffff::", "3fff::", "3fff:fff::", "4000::", "5f00::1", "fc00::", "fd00:ec2::254", "fdff::", "fe80::", "febf::",
		"fe80::1%eth0", "fec0::", "feff::", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	}
	public := []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
		"192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:1.1.1.1",
		"2000::", "2001:200::", "2001:db7::", "2001:db9::", "2003::", "2606:4700::1111", "3ffe::", "3fff:1000::",
	}
	for _, a := range closed {
		if fetch.Classify(netip.MustParseAddr(a)) {
			t.Errorf("%s counts as public", a)
		}
	}
	for _, a := range public {
		if !fetch.Classify(netip.MustParseAddr(a)) {
			t.Errorf("%s does not count as public", a)
		}
	}
}

func TestParseRule(t *testing.T) {
	good := map[string]fetch.Rule{
		"Example.com":     {Host: "example.com"},
		"*.example.com":   {Host: "*.example.com"},
		"db:5432":         {Host: "db", Port: 5432},
		"10.1.2.3/8":      {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		"10.1.2.3":        {Prefix: netip.MustParsePrefix("10.1.2.3/32")},
		"10.1.2.3:80":     {Prefix: netip.MustParsePrefix("10.1.2.3/32"), Port: 80},
		"::ffff:10.1.2.3": {Prefix: netip.MustParsePrefix("10.1.2.3/32")},
		"fd00::/8":        {Prefix: netip.MustParsePrefix("fd00::/8")},
		"[fd00::1]:80":    {Prefix: netip.MustParsePrefix("fd00::1/128"), Port: 80},
	}
	for text, want := range good {
		if got, err := fetch.ParseRule(text); err != nil || got != want {
			t.Errorf("ParseRule(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	bad := []string{
		"", "*", "*.", "a..b", ".a", "a.", "http://a", "a/b", "a:", "a:0", "a:65536", "a:080", "10.0.0.1:0", "127.1",
		"0x7f.1", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0", "[fe80::1%eth0]:80", "a b", "a.*.b", "ä.example.com",
	}
	for _, text := range bad {
		if got, err := fetch.ParseRule(text); err == nil {
			t.Errorf("ParseRule(%q) = %+v, want an error", text, got)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{"example.com:80", "*.a", "10.0.0.0/8", "[::1]:9", "a:b:c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := fetch.ParseRule(text)
		if err == nil && (r.Host == "") != r.Prefix.IsValid() {
			t.Fatalf("ParseRule(%q) = %+v", text, r)
		}
	})
}
