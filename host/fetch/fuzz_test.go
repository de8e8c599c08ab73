package fetch_test

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
)

func FuzzParseURL(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.url)
	}
	f.Add("https://Example.com.:443/a?b#c")
	f.Add("http://[2606:4700::1111]:8080")
	f.Fuzz(func(t *testing.T, text string) {
		u, refused := fetch.ParseURL(text)
		if refused != nil {
			if refused.Code != host.CodeInvalid || refused.Msg == "" {
				t.Fatalf("refused with %+v", refused)
			}
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
			t.Fatalf("%q became %#v", text, u)
		}
		name := u.Hostname()
		if name == "" || name != strings.ToLower(name) || strings.HasSuffix(name, ".") || strings.ContainsAny(name, "%@/\\ ") {
			t.Fatalf("%q has host %q", text, name)
		}
		if addr, err := netip.ParseAddr(name); err == nil && (addr.Is4In6() || addr.Zone() != "" || addr.String() != name) {
			t.Fatalf("%q has address %q", text, name)
		}
		if p := u.Port(); p != "" {
			if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
				t.Fatalf("%q has port %q", text, p)
			}
		}
		again, refused := fetch.ParseURL(u.String())
		if refused != nil || again.String() != u.String() {
			t.Fatalf("%q became %q, and then %v, %v", text, u, again, refused)
		}
		if other, err := url.Parse(u.String()); err != nil || other.Host != u.Host {
			t.Fatalf("%q is read as %v elsewhere, %v", u, other, err)
		}
	})
}

func FuzzRequestHeader(f *testing.F) {
	f.Add([]byte(host.Headers(nil).Add("accept", "*/*").Add("Host", "x").Add("connection", "accept, ,x")))
	f.Add([]byte(host.Headers(nil).Add("upgrade", "websocket")))
	f.Add([]byte("x-forwarded-for\x00a\x00cdn-loop\x00b\x00"))
	f.Add([]byte("a\x00b"))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, block []byte) {
		h, refused := fetch.RequestHeader(block)
		if refused != nil {
			if refused.Code != host.CodeInvalid {
				t.Fatalf("refused with %+v", refused)
			}
			return
		}
		for name, values := range h {
			lower := strings.ToLower(name)
			switch lower {
			case "host", "cdn-loop", "via", "forwarded", "expect", "x-real-ip":
				t.Fatalf("%s was let through", name)
			}
			if host.IsHopByHop([]byte(lower)) || strings.HasPrefix(lower, "x-forwarded-") {
				t.Fatalf("%s was let through", name)
			}
			for _, v := range values {
				if strings.ContainsAny(name+v, "\r\n\x00") {
					t.Fatalf("%q: %q was let through", name, v)
				}
			}
		}
	})
}
