// Proxy passes every request on to the server named by the variable UPSTREAM
// and streams bodies in both directions.
package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go"
)

func init() { mayfly.Handle(proxy) }

func proxy(req *mayfly.Request) (*mayfly.Response, error) {
	upstream, ok := mayfly.Env("UPSTREAM")
	if !ok {
		return nil, errors.New("the variable UPSTREAM is not set")
	}
	header := req.Headers()
	header.Del("host") // the node sets it for the upstream
	resp, err := mayfly.Fetch(context.Background(), &mayfly.FetchRequest{
		Method: req.Method(),
		URL:    strings.TrimSuffix(upstream, "/") + pathAndQuery(req),
		Header: header,
		Body:   req.Body(),
	})
	if err != nil {
		mayfly.Log(mayfly.LevelWarn, err.Error())
		return mayfly.Text(502, "the upstream doesn't answer\n"), nil
	}
	answer := mayfly.Stream(resp.Status, func(w io.Writer) error {
		defer resp.Body.Close()
		_, err := io.Copy(w, resp.Body)
		return err
	})
	answer.Header = resp.Header
	return answer, nil
}

func pathAndQuery(req *mayfly.Request) string {
	_, query, found := strings.Cut(req.URL(), "?")
	if !found {
		return req.Path()
	}
	return req.Path() + "?" + query
}

func main() {} // required by Go, never called
