package trigger

import (
	"bytes"
	"crypto/tls"
	"net"

	"github.com/valyala/fasthttp"
)

// isSecure reports whether a connection is encrypted. fasthttp only knows its own.
func isSecure(c net.Conn) bool {
	switch c := c.(type) {
	case *conn:
		return c.secure
	case *stream:
		return true
	case *tls.Conn:
		return true
	}
	return false
}

// challengePath is below which a certificate authority asks for its own token (RFC
// 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// sendsElsewhere answers a request that came without TLS, where that is not for
// a Function to do.
func (h *HTTP) sendsElsewhere(ctx *fasthttp.RequestCtx, t target) bool {
	if h.cfg.Challenge != nil && bytes.HasPrefix(t.path, []byte(challengePath)) {
		if token, ok := h.cfg.Challenge(t.host, t.path); ok {
			ctx.SetContentType("text/plain; charset=utf-8")
			ctx.SetBody(token)
			return true
		}
	}
	if h.cfg.Redirect == nil {
		return false
	}
	authority, ok := h.cfg.Redirect(t.host)
	if !ok {
		return false
	}
	page(ctx, fasthttp.StatusPermanentRedirect, "This address is served over HTTPS only", newID())
	ctx.Response.Header.Set("Location", "https://"+authority+string(t.path))
	return true
}

// harden tells browsers to come by TLS alone, over TLS: without it they must not
// believe it (RFC 6797, section 7.2).
func (h *HTTP) harden(ctx *fasthttp.RequestCtx) {
	if h.cfg.HSTS == "" || !isSecure(ctx.Conn()) || len(ctx.Response.Header.Peek("Strict-Transport-Security")) > 0 {
		return
	}
	ctx.Response.Header.Set("Strict-Transport-Security", h.cfg.HSTS)
}
