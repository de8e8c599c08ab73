package dev

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"

	"github.com/valyala/fasthttp"
)

//go:embed page.html
var pageSource string

// failurePage is what requests get while the sources can't be built.
type failurePage struct {
	page *template.Template
}

func newFailurePage() (*failurePage, error) {
	t, err := template.New("failure").Parse(pageSource)
	return &failurePage{t}, err
}

// answer tells what is wrong: as a page to a browser, as text to all others.
func (p *failurePage) answer(ctx *fasthttp.RequestCtx, name, failure string) {
	ctx.SetStatusCode(fasthttp.StatusInternalServerError)
	ctx.Response.Header.Set("Cache-Control", "no-store")
	if !strings.Contains(string(ctx.Request.Header.Peek("Accept")), "text/html") {
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.SetBodyString(name + " could not be built:\n\n" + failure + "\n")
		return
	}
	var b bytes.Buffer
	if err := p.page.Execute(&b, struct{ Name, Failure string }{name, failure}); err != nil {
		b.Reset()
		b.WriteString(template.HTMLEscapeString(failure))
	}
	ctx.SetContentType("text/html; charset=utf-8")
	ctx.SetBody(b.Bytes())
}
