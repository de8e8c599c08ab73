package trigger

import (
	"bytes"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/valyala/fasthttp"
)

// verdict is what a client is told about an Invocation that did not answer. The
// numbers are Cloudflare's, which people search for:
// https://developers.cloudflare.com/workers/observability/errors/
type verdict struct {
	status int
	number int
	title  string
}

var verdicts = map[host.Outcome]verdict{
	host.OutcomeException:        {fasthttp.StatusInternalServerError, 1101, "The function threw an exception"},
	host.OutcomeExceededCPU:      {fasthttp.StatusServiceUnavailable, 1102, "The function exceeded its CPU time limit"},
	host.OutcomeExceededMemory:   {fasthttp.StatusServiceUnavailable, 1102, "The function exceeded its memory limit"},
	host.OutcomeExceededWallTime: {fasthttp.StatusGatewayTimeout, 1102, "The function took too long"},
	host.OutcomeCanceled:         {fasthttp.StatusServiceUnavailable, 1101, "The request was canceled"},
	host.OutcomeLoadShed:         {fasthttp.StatusServiceUnavailable, 1105, "The node is busy; try again in a moment"},
	host.OutcomeInternalError:    {fasthttp.StatusInternalServerError, 1104, "The node could not run the function"},
}

const (
	titleNotFound = "There is no function at this address"
	titleTooLarge = "413 Request Entity Too Large: the request's body is too large"
	titleCrowded  = "Error 1015: The function has too many requests at the same time; try again in a moment"
	titleLoop     = "The request came back to this node too often"
)

// failurePage answers for an Invocation that did not.
func failurePage(ctx *fasthttp.RequestCtx, outcome host.Outcome, id string) {
	v := verdicts[outcome]
	if outcome == host.OutcomeLoadShed {
		ctx.Response.Header.Set("Retry-After", "1")
	}
	page(ctx, v.status, fmt.Sprintf("Error %d: %s", v.number, v.title), id)
}

// page is a plain answer of the node's own. title is never a guest's text.
func page(ctx *fasthttp.RequestCtx, status int, title, id string) {
	ctx.Response.Reset()
	ctx.SetStatusCode(status)
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.Set("Mayfly-Request-Id", id)
	if bytes.Contains(ctx.Request.Header.Peek("Accept"), []byte("text/html")) {
		ctx.SetContentType("text/html; charset=utf-8")
		fmt.Fprintf(ctx, pageHTML, title, title, id)
		return
	}
	ctx.SetContentType("text/plain; charset=utf-8")
	fmt.Fprintf(ctx, "%s\nRequest id: %s\n", title, id)
}

const pageHTML = `<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%s</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:15vh auto;padding:0 1em;color:#222}h1{font-size:1.4em}code{color:#666}</style>
<h1>%s</h1>
<p>Request id <code>%s</code></p>
`
