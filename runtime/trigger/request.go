package trigger

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/mayfly-run/mayfly/host"
	"github.com/valyala/fasthttp"
)

// peer is what is known of the client behind a connection.
type peer struct {
	addr    netip.Addr
	https   bool
	trusted bool // the connection comes from a configured proxy
}

// peerOf believes a proxy's header fields only if the proxy is a configured one.
func (h *HTTP) peerOf(ctx *fasthttp.RequestCtx) peer {
	p := peer{https: isSecure(ctx.Conn())}
	if a, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		p.addr = a.AddrPort().Addr().Unmap()
	}
	if !h.isProxy(p.addr) {
		return p
	}
	p.trusted = true
	p.addr = h.forwardedFor(ctx.Request.Header.PeekAll("X-Forwarded-For"), p.addr)
	if proto := ctx.Request.Header.Peek("X-Forwarded-Proto"); len(proto) > 0 {
		p.https = bytes.EqualFold(proto, []byte("https"))
	}
	return p
}

func (h *HTTP) isProxy(a netip.Addr) bool {
	for _, p := range h.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// forwardedFor is the right-most address that is not a configured proxy's: what
// stands left of it, the client itself may have written.
func (h *HTTP) forwardedFor(fields [][]byte, peer netip.Addr) netip.Addr {
	for i := len(fields) - 1; i >= 0; i-- {
		hops := bytes.Split(fields[i], []byte(","))
		for j := len(hops) - 1; j >= 0; j-- {
			a, err := netip.ParseAddr(string(bytes.TrimSpace(hops[j])))
			if err != nil {
				return peer
			}
			if peer = a.Unmap(); !h.isProxy(peer) {
				return peer
			}
		}
	}
	return peer
}

var schemeHTTP, schemeHTTPS = []byte("http"), []byte("https")

// scheme must not be written to.
func (p peer) scheme() []byte {
	if p.https {
		return schemeHTTPS
	}
	return schemeHTTP
}

// describe fills in what the guest sees of a request. Everything is copied into
// one buffer, which is returned for its next use, so that the guest may outlive
// the handler.
func describe(r *host.Request, buf []byte, ctx *fasthttp.RequestCtx, t target, p peer) []byte {
	b := append(buf[:0], ctx.Request.Header.Method()...)
	method := len(b)
	b = append(append(b, p.scheme()...), "://"...)
	b = append(append(b, t.host...), t.path...)
	url := len(b)
	b = appendFields(b, ctx, p)
	r.Method, r.URL, r.Headers = b[:method:method], b[method:url:url], b[url:]
	r.Client = p.addr
	return b
}

func appendFields(b []byte, ctx *fasthttp.RequestCtx, p peer) []byte {
	for name, value := range ctx.Request.Header.All() {
		if isConnectionField(name) || isAboutClient(name) {
			continue
		}
		for _, c := range name {
			b = append(b, host.ASCIILower(c))
		}
		b = append(b, 0)
		b = append(append(b, value...), 0)
	}
	b = append(b, "cf-connecting-ip\x00"...)
	b = append(p.addr.AppendTo(b), 0)
	b = append(append(append(b, "x-forwarded-proto\x00"...), p.scheme()...), 0)
	b = append(b, "x-forwarded-for\x00"...)
	return append(p.addr.AppendTo(b), 0)
}

// isConnectionField: the length of a request's body is worth knowing.
func isConnectionField(name []byte) bool {
	return host.IsHopByHop(name) && !bytes.EqualFold(name, []byte("content-length"))
}

// isAboutClient names the fields that the front end sets itself, so that nobody
// can pass himself off as another client.
func isAboutClient(name []byte) bool {
	switch len(name) {
	case 7, 9, 14, 15, 16, 17:
	default:
		return false
	}
	for _, own := range []string{"x-real-ip", "forwarded", "true-client-ip", "x-forwarded-for",
		"cf-connecting-ip", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"} {
		if len(own) == len(name) && equalLower(name, own) {
			return true
		}
	}
	return false
}
