package fetch_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
)

const public = "93.184.215.14"

// vectors are ways to the inside of a node. PORT is that of a listener on the
// loopback addresses, which must not be connected to.
var vectors = []struct {
	url  string
	want host.Code
}{
	// Addresses, and other notations of them.
	{"http://127.0.0.1:PORT/", host.CodeDenied},
	{"http://127.0.0.1:PORT#@example.com/", host.CodeDenied},
	{"http://127.0.0.1:PORT?@example.com/", host.CodeDenied},
	{"http://127.0.0.1.:PORT/", host.CodeDenied},
	{"http://127.0.0.1..:PORT/", host.CodeInvalid},
	{"http://127.255.255.254:PORT/", host.CodeDenied},
	{"http://127.1:PORT/", host.CodeInvalid},
	{"http://127.1.:PORT/", host.CodeInvalid},
	{"http://2130706433:PORT/", host.CodeInvalid},
	{"http://017700000001:PORT/", host.CodeInvalid},
	{"http://0x7f.1:PORT/", host.CodeInvalid},
	{"http://0x7f000001:PORT/", host.CodeInvalid},
	{"http://0X7F.0.0.0x1:PORT/", host.CodeInvalid},
	{"http://127.0.0.0x:PORT/", host.CodeInvalid},
	{"http://0177.0.0.1:PORT/", host.CodeInvalid},
	{"http://127.0.0.01:PORT/", host.CodeInvalid},
	{"http://127.0.0.1.5:PORT/", host.CodeInvalid},
	{"http://127.0.0.256:PORT/", host.CodeInvalid},
	{"http://127%2e0.0.1:PORT/", host.CodeInvalid},
	{"http://%31%32%37.0.0.1:PORT/", host.CodeInvalid},
	{"http://①②⑦.⓪.⓪.①:PORT/", host.CodeInvalid},
	{"http://\uff11\uff12\uff17.0.0.1:PORT/", host.CodeInvalid}, // fullwidth
	{"http://127.0.0\uff0e1:PORT/", host.CodeInvalid},
	{"http://127。0。0。1:PORT/", host.CodeInvalid},
	{"http://127%E3%80%820.0.1:PORT/", host.CodeInvalid},
	{"http://0.0.0.0:PORT/", host.CodeDenied},
	{"http://0:PORT/", host.CodeInvalid},
	{"http://[::]:PORT/", host.CodeDenied},
	{"http://[::1]:PORT/", host.CodeDenied},
	{"http://[0:0:0:0:0:0:0:1]:PORT/", host.CodeDenied},
	{"http://[::127.0.0.1]:PORT/", host.CodeDenied},
	{"http://[::ffff:127.0.0.1]:PORT/", host.CodeDenied},
	{"http://[::ffff:7f00:1]:PORT/", host.CodeDenied},
	{"http://[::ffff:0:7f00:1]:PORT/", host.CodeDenied},
	{"http://[64:ff9b::7f00:1]:PORT/", host.CodeDenied},
	{"http://[64:ff9b:1::7f00:1]:PORT/", host.CodeDenied},
	{"http://[2002:7f00:1::]:PORT/", host.CodeDenied},
	{"http://[2001:0:7f00:1::80ff:fffe]:PORT/", host.CodeDenied},
	{"http://[fe80::1]:PORT/", host.CodeDenied},
	{"http://[fe80::1%25eth0]:PORT/", host.CodeInvalid},
	{"http://[::1%25lo]:PORT/", host.CodeInvalid},
	{"http://[fec0::1]:PORT/", host.CodeDenied},
	{"http://[fc00::1]:PORT/", host.CodeDenied},
	{"http://[ff02::1]:PORT/", host.CodeDenied},
	{"http://[v1.x]:PORT/", host.CodeInvalid},
	{"http://[127.0.0.1]:PORT/", host.CodeInvalid},
	{"http://10.0.0.7:PORT/", host.CodeDenied},
	{"http://172.31.255.1:PORT/", host.CodeDenied},
	{"http://192.168.1.1:PORT/", host.CodeDenied},
	{"http://100.64.0.1:PORT/", host.CodeDenied},
	{"http://169.254.169.254/latest/meta-data/", host.CodeDenied},
	{"http://100.100.100.200/latest/", host.CodeDenied},
	{"http://168.63.129.16/", host.CodeDenied},
	{"http://192.0.0.192/", host.CodeDenied},
	{"http://[fd00:ec2::254]/", host.CodeDenied},
	{"http://[fd20:ce::254]/", host.CodeDenied},
	{"http://255.255.255.255/", host.CodeDenied},
	{"http://224.0.0.1/", host.CodeDenied},
	{"http://203.0.113.9:PORT/", host.CodeDenied}, // of the node itself

	// Names.
	{"http://localhost:PORT/", host.CodeDenied},
	{"http://localhost.:PORT/", host.CodeDenied},
	{"http://LOCALHOST:PORT/", host.CodeDenied},
	{"http://127.0.0.1.nip.example.com:PORT/", host.CodeDenied},
	{"http://cname.example.com:PORT/", host.CodeDenied},
	{"http://public-first.example.com:PORT/", host.CodeDenied},
	{"http://public-last.example.com:PORT/", host.CodeDenied},
	{"http://mapped.example.com:PORT/", host.CodeDenied},
	{"http://zoned.example.com:PORT/", host.CodeDenied},
	{"http://node.example.com:PORT/", host.CodeDenied}, // the node's own name
	{"http://no-address.example.com:PORT/", host.CodeUnavailable},
	{"http://unknown.example.com:PORT/", host.CodeUnavailable},

	// URLs that parsers disagree about.
	{"http://a@127.0.0.1:PORT/", host.CodeInvalid},
	{"http://a:b@127.0.0.1:PORT/", host.CodeInvalid},
	{"http://example.com@127.0.0.1:PORT/", host.CodeInvalid},
	{"http://@127.0.0.1:PORT/", host.CodeInvalid},
	{`http://example.com\@127.0.0.1:PORT/`, host.CodeInvalid},
	{`http:\\127.0.0.1:PORT/`, host.CodeInvalid},
	{"http://127.0.0.1:PORT\t/", host.CodeInvalid},
	{"http://127.0.0.1:PORT/ HTTP/1.1\r\nX: y", host.CodeInvalid},
	{"http://127.0.0.1:PORT/\r\n\r\nGET /admin", host.CodeInvalid},
	{" http://127.0.0.1:PORT/", host.CodeInvalid},
	{"http://127.0.0.1:PORT/\x00", host.CodeInvalid},
	{"http://127.0.0.1:PORT/\x7f", host.CodeInvalid},
	{"http:///127.0.0.1:PORT/", host.CodeInvalid},
	{"http:127.0.0.1:PORT/", host.CodeInvalid},
	{"http:/127.0.0.1:PORT/", host.CodeInvalid},
	{"//127.0.0.1:PORT/", host.CodeInvalid},
	{"127.0.0.1:PORT/", host.CodeInvalid},
	{"/relative", host.CodeInvalid},
	{"", host.CodeInvalid},
	{"http://", host.CodeInvalid},
	{"http://:PORT/", host.CodeInvalid},
	{"http://./", host.CodeInvalid},
	{"http://-a b/", host.CodeInvalid},
	{"http://a..b/", host.CodeInvalid},
	{"http://a,b/", host.CodeInvalid},
	{"http://" + strings.Repeat("a", 64) + ".example.com/", host.CodeInvalid},
	{"http://" + strings.Repeat("a.", 127) + "com/", host.CodeInvalid},
	{"http://example.com/" + strings.Repeat("a", 16<<10), host.CodeInvalid},

	// Schemes.
	{"gopher://127.0.0.1:PORT/", host.CodeInvalid},
	{"file:///etc/passwd", host.CodeInvalid},
	{"ftp://127.0.0.1:PORT/", host.CodeInvalid},
	{"unix:/run/node.sock", host.CodeInvalid},
	{"http+unix://run/node.sock", host.CodeInvalid},
	{"ws://127.0.0.1:PORT/", host.CodeInvalid},
	{"data:text/plain,x", host.CodeInvalid},

	// Ports.
	{"http://public.example.com:0/", host.CodeInvalid},
	{"http://public.example.com:65536/", host.CodeInvalid},
	{"http://public.example.com:-1/", host.CodeInvalid},
	{"http://public.example.com:080/", host.CodeInvalid},
	{"http://public.example.com:/", host.CodeInvalid},
	{"http://public.example.com:http/", host.CodeInvalid},
	{"http://public.example.com:22/", host.CodeDenied},
	{"http://public.example.com:25/", host.CodeDenied},
	{"http://203.0.113.9:8788/", host.CodeDenied},          // a listener of the node
	{"http://listener.example.com:8789/", host.CodeDenied}, // another, though public
}

func TestRefusals(t *testing.T) {
	port, connections := mustCountingListener(t)
	resolver := &names{table: map[string][][]string{
		"localhost":                 {{"127.0.0.1"}},
		"127.0.0.1.nip.example.com": {{"127.0.0.1"}},
		"cname.example.com":         {{"10.1.2.3"}},
		"public.example.com":        {{public}},
		"public-first.example.com":  {{public, "127.0.0.1"}},
		"public-last.example.com":   {{"::1", public}},
		"mapped.example.com":        {{"::ffff:127.0.0.1"}},
		"zoned.example.com":         {{"fe80::1%lo"}},
		"node.example.com":          {{"198.41.0.9"}},
		"no-address.example.com":    {{}},
		"listener.example.com":      {{"198.41.0.4"}},
	}}
	c := mustClient(t, fetch.Config{
		Policy:   always(fetch.Policy{HighPorts: true}),
		Resolver: resolver,
		OwnAddrs: func() ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.41.0.9")}, nil
		},
		Listeners: func() []netip.AddrPort {
			return []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8788"), netip.MustParseAddrPort("198.41.0.4:8789")}
		},
	})
	for _, v := range vectors {
		t.Run(v.url[:min(len(v.url), 60)], func(t *testing.T) {
			resolver.asked = 0
			_, err := c.Fetch(t.Context(), get(strings.ReplaceAll(v.url, "PORT", port)))
			wantCode(t, err, v.want)
			if resolver.asked > 1 {
				t.Errorf("resolved %d times, want once at most", resolver.asked)
			}
		})
	}
	if got := connections.Load(); got != 0 {
		t.Errorf("%d connections were made, want none", got)
	}
}

// mustCountingListener listens on 127.0.0.1 and, where there is IPv6, on ::1.
func mustCountingListener(t *testing.T) (port string, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	listeners := []net.Listener{l}
	if l6, err := net.Listen("tcp6", "[::1]:"+port); err == nil {
		listeners = append(listeners, l6)
	}
	for _, l := range listeners {
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				connections.Add(1)
				conn.Close()
			}
		}()
	}
	return port, connections
}

func TestMethodsAndHeadersRefused(t *testing.T) {
	port, connections := mustCountingListener(t)
	none := host.Headers(nil)
	tests := []struct {
		name, method string
		headers      host.Headers
	}{
		{"no method", "", none},
		{"CONNECT", "CONNECT", none},
		{"connect", "connect", none},
		{"TRACE", "TRACE", none},
		{"request line", "GET / HTTP/1.1\r\nX:", none},
		{"space", "GE T", none},
		{"not ASCII", "GÉT", none},
		{"websocket", "GET", none.Add("connection", "Upgrade").Add("upgrade", "WebSocket")},
		{"name with space", "GET", none.Add("a b", "1")},
		{"empty name", "GET", none.Add("", "1")},
		{"value with CRLF", "GET", none.Add("a", "1\r\nb: 2")},
		{"unfinished block", "GET", host.Headers("a\x00b")},
		{"too long", "GET", none.Add("a", strings.Repeat("b", 128<<10))},
	}
	c := mustClient(t, fetch.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := get("http://127.0.0.1:" + port)
			req.Method, req.Headers = tt.method, tt.headers
			_, err := c.Fetch(t.Context(), req)
			wantCode(t, err, host.CodeInvalid)
		})
	}
	if got := connections.Load(); got != 0 {
		t.Errorf("%d connections were made, want none", got)
	}
}

func TestRebinding(t *testing.T) {
	port, connections := mustCountingListener(t)
	rule, err := fetch.ParseRule("::1")
	if err != nil {
		t.Fatal(err)
	}
	// The first answer may be used, the second may not. A second look-up
	// between check and connection would lead to the listener.
	resolver := &names{table: map[string][][]string{"rebind.example.com": {{"::1"}, {"127.0.0.1"}}}}
	c := mustClient(t, fetch.Config{Resolver: resolver, Policy: always(fetch.Policy{HighPorts: true, Allow: []fetch.Rule{rule}})})
	_, err = c.Fetch(t.Context(), get("http://rebind.example.com:"+port))
	wantCode(t, err, host.CodeUnavailable) // it hangs up, or there is no IPv6
	if resolver.asked != 1 {
		t.Errorf("resolved %d times, want once", resolver.asked)
	}
	before := connections.Load()
	_, err = c.Fetch(t.Context(), get("http://rebind.example.com:"+port))
	wantCode(t, err, host.CodeDenied)
	if got := connections.Load() - before; got != 0 {
		t.Errorf("%d connections after the second answer, want none", got)
	}
}

func TestControlChecksTheSocketAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "[fe80::1%lo]:80"} {
		wantCode(t, fetch.Control(fetch.Policy{}, "example.com", address), host.CodeDenied)
	}
	if err := fetch.Control(fetch.Policy{}, "example.com", public+":80"); err != nil {
		t.Errorf("public address: %v", err)
	}
	if err := fetch.Control(fetch.Policy{}, "example.com", "nonsense"); err == nil {
		t.Error("an address that cannot be parsed was accepted")
	}
}

func TestManifestOnlyNarrows(t *testing.T) {
	s := mustServer(t, func(http.ResponseWriter, *http.Request) {})
	port := mustPort(t, s.URL)
	resolver := &names{table: map[string][][]string{}}
	for _, n := range []string{"example.com", "a.example.com", "a.b.example.com", "badexample.com"} {
		resolver.table[n] = [][]string{{"127.0.0.1"}}
	}
	tests := []struct {
		egress []string
		host   string
		ok     bool
	}{
		{nil, "example.com", true},
		{[]string{}, "example.com", false},
		{[]string{"example.com"}, "example.com", true},
		{[]string{"Example.COM"}, "EXAMPLE.com.", true},
		{[]string{"example.com"}, "a.example.com", false},
		{[]string{"*.example.com"}, "a.example.com", true},
		{[]string{"*.example.com"}, "a.b.example.com", true},
		{[]string{"*.example.com"}, "example.com", false},
		{[]string{"*.example.com"}, "badexample.com", false},
		{[]string{"*example.com"}, "badexample.com", false},
		{[]string{"*"}, "example.com", false},
		{[]string{"a.example.com", "127.0.0.1"}, "127.0.0.1", true},
	}
	c := mustClient(t, fetch.Config{Resolver: resolver})
	closed := mustClient(t, fetch.Config{Resolver: resolver, Policy: always(fetch.Policy{HighPorts: true})})
	for _, tt := range tests {
		req := get("http://" + tt.host + ":" + port)
		req.Egress = tt.egress
		resp, err := c.Fetch(t.Context(), req)
		if err == nil {
			resp.Body.Close()
		} else {
			wantCode(t, err, host.CodeDenied)
		}
		if (err == nil) != tt.ok {
			t.Errorf("%v to %s: %v, want allowed %v", tt.egress, tt.host, err, tt.ok)
		}
		_, err = closed.Fetch(t.Context(), req)
		wantCode(t, err, host.CodeDenied) // whatever the manifest says
	}
}

func TestErrorsTellNothingInternal(t *testing.T) {
	resolver := &names{table: map[string][][]string{
		"db.internal": {{"10.0.0.7"}}, "up.example.com": {{"127.0.0.1"}},
	}}
	c := mustClient(t, fetch.Config{Resolver: resolver, Policy: func(account string) fetch.Policy {
		if account == "trusted" {
			return open
		}
		return fetch.Policy{}
	}})
	port := mustRefusingPort(t)
	ask := "; the node's [egress] configuration must allow it"
	tests := []struct{ account, url, want string }{
		{"", "http://10.0.0.7/", "10.0.0.7 is a private address (RFC 1918)" + ask},
		{"", "http://db.internal/", "db.internal resolves to a private address (RFC 1918)" + ask},
		{"", "http://" + public + ":22/", "port 22 of " + public + " is closed to Functions, unlike 80, 443 and 8080" + ask},
		{"", "http://nowhere.internal/", "nowhere.internal cannot be resolved; check the name"},
		{"trusted", "http://up.example.com:" + port, "up.example.com:" + port + " refused the connection"},
	}
	for _, tt := range tests {
		req := get(tt.url)
		req.Account = tt.account
		_, err := c.Fetch(t.Context(), req)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: error = %v, want %s", tt.url, err, tt.want)
		}
	}
}

// mustRefusingPort is a port on 127.0.0.1 at which nobody listens, nor will: a connection
// to elsewhere has it.
func mustRefusingPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

func TestUnknownOwnAddressesCloseEverything(t *testing.T) {
	c := mustClient(t, fetch.Config{OwnAddrs: func() ([]netip.Addr, error) { return nil, context.Canceled }})
	_, err := c.Fetch(t.Context(), get("http://127.0.0.1:8080"))
	wantCode(t, err, host.CodeUnavailable)
}
