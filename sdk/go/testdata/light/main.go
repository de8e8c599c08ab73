// Light uses what costs nothing.
package main

import "github.com/mayfly-run/mayfly/sdk/go"

func init() {
	mayfly.Handle(func(req *mayfly.Request) (*mayfly.Response, error) {
		return mayfly.Text(200, "Hello from "+req.Path()), nil
	})
}

func main() {}
