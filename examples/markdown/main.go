// Markdown renders the Markdown that is posted to it into HTML.
package main

import (
	"bytes"
	"io"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// renderer is made once, before the first request. It drops raw HTML and
// dangerous links, as goldmark does by default.
var renderer = goldmark.New(goldmark.WithExtensions(extension.GFM))

func init() { mayfly.Handle(render) }

func render(req *mayfly.Request) (*mayfly.Response, error) {
	if req.Method() != "POST" {
		return mayfly.Text(405, "POST some Markdown, please\n").With("allow", "POST"), nil
	}
	source, err := io.ReadAll(req.Body())
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := renderer.Convert(source, &page); err != nil {
		return nil, err
	}
	return mayfly.Bytes(200, "text/html; charset=utf-8", page.Bytes()), nil
}

func main() {} // required by Go, never called
