// Kv uses every service that costs no thread, and reflection, by which a linker
// might think that everything is used.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"text/template"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflylog"
)

func init() {
	slog.SetDefault(slog.New(mayflylog.NewHandler(nil)))
	mayfly.Handle(handle)
}

func handle(req *mayfly.Request) (*mayfly.Response, error) {
	pages := mayfly.KV("PAGES")
	for e, err := range pages.List("") {
		slog.Info("entry", "key", e.Key, "err", err)
	}
	if _, err := pages.Put("a", nil); err != nil {
		return nil, err
	}
	if err := pages.Delete("b"); err != nil {
		return nil, err
	}
	resp, err := mayfly.Fetch(context.Background(), &mayfly.FetchRequest{URL: "http://example.com", Body: req.Body()})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(resp)
	if err != nil {
		return nil, err
	}
	var page strings.Builder
	err = template.Must(template.New("").Parse("{{.Path}}")).Execute(&page, req)
	return mayfly.Text(200, string(body)+string(text)+page.String()), err
}

func main() {}
