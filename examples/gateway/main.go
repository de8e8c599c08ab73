// Gateway answers those whom the Function bound to AUTH knows.
package main

import (
	"context"
	"io"

	"github.com/mayfly-run/mayfly/sdk/go"
)

func init() { mayfly.Handle(gateway) }

var auth = mayfly.Service("AUTH")

func gateway(req *mayfly.Request) (*mayfly.Response, error) {
	resp, err := auth.Fetch(context.Background(), &mayfly.FetchRequest{
		URL:    "http://auth/whoami", // any host will do
		Header: mayfly.Header{{"authorization", req.Header("authorization")}},
	})
	if err != nil {
		return nil, err // logged, and a 500
	}
	defer resp.Body.Close()
	user, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.Status != 200 {
		return mayfly.Text(401, "show a token\n"), nil
	}
	return mayfly.Text(200, "Hello, "+string(user)+"\n"), nil
}

func main() {} // required by Go, never called
