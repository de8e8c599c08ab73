package trigger

import (
	"errors"
	"fmt"
	"net"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/valyala/fasthttp"
)

// crowded turns a request away because too many of its Function or its account
// are under way.
func (h *HTTP) crowded(ctx *fasthttp.RequestCtx) {
	h.turnAway(ctx, telemetry.RefusedConcurrency, fasthttp.StatusTooManyRequests, titleCrowded)
	ctx.Response.Header.Set("Retry-After", "1")
}

// refuse answers what is not worth reading on for.
func (h *HTTP) refuse(ctx *fasthttp.RequestCtx, r *refusal) {
	h.turnAway(ctx, telemetry.RefusedMalformed, r.status, fmt.Sprintf("%d %s: %s", r.status, fasthttp.StatusMessage(r.status), r.reason))
	refuses(ctx.Conn())
	ctx.SetConnectionClose()
}

// turnAway answers a request for which no Function runs.
func (h *HTTP) turnAway(ctx *fasthttp.RequestCtx, why telemetry.Refusal, status int, title string) {
	h.cfg.Metrics.Refuse(why)
	id := newID()
	page(ctx, status, title, id)
	if h.cfg.AccessLog != nil {
		h.cfg.AccessLog.Info("request", "id", id, "client", h.peerOf(ctx).addr.String(), "method", string(ctx.Method()),
			"host", string(ctx.Request.Header.Host()), "target", string(ctx.Request.Header.RequestURI()),
			"status", status)
	}
}

// refuseUnread answers what fasthttp could not parse or read.
func (h *HTTP) refuseUnread(ctx *fasthttp.RequestCtx, err error) {
	r := refusal{fasthttp.StatusBadRequest, "the request is malformed"}
	_, tooBig := errors.AsType[*fasthttp.ErrSmallBuffer](err)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case tooBig:
		r = refusal{fasthttp.StatusRequestHeaderFieldsTooLarge, "the request's header is too large"}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		r = refusal{fasthttp.StatusRequestEntityTooLarge, "the request's body is too large"}
	case isNet && netErr.Timeout():
		r = refusal{fasthttp.StatusRequestTimeout, "the request took too long to arrive"}
	}
	h.refuse(ctx, &r)
}

// expect decides on "Expect: 100-continue" before a body is asked for.
func (h *HTTP) expect(ctx *fasthttp.RequestCtx) int {
	t, refused := h.checkRequest(ctx)
	if refused == nil && h.fits(t) {
		return fasthttp.StatusContinue
	}
	refuses(ctx.Conn())
	if refused != nil {
		return refused.status
	}
	return fasthttp.StatusRequestEntityTooLarge
}

// readAhead is how much of a body fasthttp waits for before it asks the handler.
const readAhead = 8 << 10

// headerReceived gives the body its own time once the header is there. A body
// that will be refused for its length is not waited for: a client may have
// announced it without sending any of it.
func (h *HTTP) headerReceived(header *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	length := header.ContentLength()
	if length > readAhead {
		if t, refused := h.checkHeader(header); refused != nil || !h.fits(t) {
			header.SetContentLength(0) // the handler goes by what the client wrote
			header.SetConnectionClose()
			return c
		}
	}
	if length != 0 {
		c.ReadTimeout = h.cfg.ResponseTimeout
	}
	return c
}

// fits reports whether a body is no larger than what serves the request takes.
// The scheme is not known yet and stands for itself.
func (h *HTTP) fits(t target) bool {
	found := false
	for _, scheme := range [][]byte{schemeHTTP, schemeHTTPS} {
		serving, ok := h.cfg.Table.Lookup(scheme, t.host, t.path)
		if ok && t.size <= serving.MaxRequestBody() {
			return true
		}
		found = found || ok
	}
	return !found
}
