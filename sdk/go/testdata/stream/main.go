// Stream streams its response.
package main

import (
	"io"

	"github.com/mayfly-run/mayfly/sdk/go"
)

func init() {
	mayfly.Handle(func(req *mayfly.Request) (*mayfly.Response, error) {
		return mayfly.Stream(200, func(w io.Writer) error {
			_, err := io.Copy(w, req.Body())
			return err
		}), nil
	})
}

func main() {}
