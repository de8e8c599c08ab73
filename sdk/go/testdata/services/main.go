// Services asks another Function, within a limit, and says which Version it is.
package main

import (
	"context"
	"io"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflyversion"
)

func init() { mayfly.Handle(handle) }

func handle(req *mayfly.Request) (*mayfly.Response, error) {
	within, err := mayfly.RateLimit("LIMITER").Limit(req.Path())
	if err != nil || !within {
		return mayfly.Text(429, ""), err
	}
	version, err := mayflyversion.Get("VERSION")
	if err != nil {
		return nil, err
	}
	resp, err := mayfly.Service("AUTH").Fetch(context.Background(), &mayfly.FetchRequest{URL: "http://auth/" + version.ID})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return mayfly.Text(resp.Status, string(body)), err
}

func main() {}
