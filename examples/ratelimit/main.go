// Ratelimit answers each client so often, and says which Version it is.
package main

import (
	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflyversion"
)

func init() { mayfly.Handle(limited) }

var limiter = mayfly.RateLimit("LIMITER")

func limited(req *mayfly.Request) (*mayfly.Response, error) {
	client := req.Header("x-client")
	if client == "" {
		client = req.Client()
	}
	within, err := limiter.Limit(client)
	if err != nil {
		return nil, err
	}
	version, err := mayflyversion.Get("CF_VERSION_METADATA")
	if err != nil {
		return nil, err
	}
	resp := mayfly.Text(200, "here you are\n")
	if !within {
		resp = mayfly.Text(429, "wait a minute\n")
		resp.Header.Set("retry-after", "60")
	}
	resp.Header.Set("x-version", version.ID)
	return resp, nil
}

func main() {} // required by Go, never called
