package trigger

import (
	"bytes"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/valyala/fasthttp"
)

// slowestClient is how fast a client has to take a static file at the least, in bytes
// per second, beside the time that every response may take.
const slowestClient = 8 << 10

// serveAssets answers with a static file of the Version, and reports whether it did:
// else the request is the Function's.
func (h *HTTP) serveAssets(ctx *fasthttp.RequestCtx, t target, p peer, active *deploy.Active) bool {
	if refused := checkLimits(&ctx.Request.Header, t, active); refused != nil {
		h.refuse(ctx, refused)
		return true
	}
	site, err := active.Assets.Site(h.base)
	if err != nil {
		h.assetFailed(ctx, active, err)
		return true
	}
	a, ok := site.Serve(assetRequest(ctx, t))
	if !ok {
		return false
	}
	if err := h.sendAsset(ctx, active.Assets.Server(), &a); err != nil {
		h.assetFailed(ctx, active, err)
		return true
	}
	h.cfg.Metrics.Asset(a.Length)
	h.logAsset(ctx, t, p, active, &a)
	return true
}

// assetRequest is what of a request matters to static files.
func assetRequest(ctx *fasthttp.RequestCtx, t target) *assets.Request {
	header := &ctx.Request.Header
	text := func(name string) string { return string(header.Peek(name)) }
	path, _, _ := bytes.Cut(t.path, []byte("?"))
	name, _, _ := strings.Cut(string(t.host), ":")
	return &assets.Request{
		Method: string(header.Method()), Host: strings.ToLower(name), Path: string(path), Query: string(t.path[len(path):]),
		AcceptEncoding: joinedField(header.PeekAll("Accept-Encoding")), IfNoneMatch: joinedField(header.PeekAll("If-None-Match")),
		Range: text("Range"), IfRange: text("If-Range"),
		Authorized: len(header.Peek("Authorization")) > 0, Navigate: text("Sec-Fetch-Mode") == "navigate",
	}
}

// joinedField is a field that may be given several times (RFC 9110, section 5.3).
func joinedField(values [][]byte) string {
	if len(values) == 1 {
		return string(values[0])
	}
	return string(bytes.Join(values, []byte(", ")))
}

// sendAsset sets the response. Small files are sent from where they are kept; large
// ones are read as the client takes them.
func (h *HTTP) sendAsset(ctx *fasthttp.RequestCtx, server *assets.Server, a *assets.Answer) error {
	if ctx.RequestBodyStream() != nil && ctx.Request.Header.ContentLength() != 0 { // nobody reads it
		ctx.SetConnectionClose()
	}
	r := &ctx.Response
	if a.Content != nil { // of answers to HEAD only its length is sent
		data, whole, err := server.Bytes(h.base, a.Content)
		if err != nil {
			return err
		}
		if whole {
			r.SetBodyRaw(data[a.Offset : a.Offset+a.Length])
		} else if err := h.streamAsset(ctx, server, a); err != nil {
			return err
		}
	}
	r.SetStatusCode(a.Status)
	for _, f := range a.Header {
		if !host.IsHopByHop([]byte(f.Name)) {
			r.Header.Add(f.Name, f.Value)
		}
	}
	return nil
}

func (h *HTTP) streamAsset(ctx *fasthttp.RequestCtx, server *assets.Server, a *assets.Answer) error {
	body, err := server.Open(h.base, a.Content, a.Offset, a.Length)
	if err != nil {
		return err
	}
	ctx.SetWriteDeadline(time.Now().Add(h.cfg.ResponseTimeout + time.Duration(a.Length/slowestClient)*time.Second))
	ctx.Response.SetBodyStream(body, int(a.Length))
	return nil
}

func (h *HTTP) assetFailed(ctx *fasthttp.RequestCtx, active *deploy.Active, err error) {
	id := newID()
	h.cfg.Logger.Error("serve static file", "request", id, "account", active.Account, "function", active.Function, "version", active.VersionID, "err", err)
	failurePage(ctx, host.OutcomeInternalError, id)
}

func (h *HTTP) logAsset(ctx *fasthttp.RequestCtx, t target, p peer, active *deploy.Active, a *assets.Answer) {
	if h.cfg.AccessLog == nil {
		return
	}
	h.cfg.AccessLog.Info("request", "id", newID(), "client", p.addr.String(), "method", string(ctx.Method()),
		"url", string(p.scheme())+"://"+string(t.host)+string(t.path), "status", a.Status,
		"account", active.Account, "function", active.Function, "version", active.VersionID, "outcome", "asset", "bytes_out", a.Length)
}
