// Hello answers every request with one line.
package main

import "github.com/mayfly-run/mayfly/sdk/go"

func init() { mayfly.Handle(hello) }

func hello(req *mayfly.Request) (*mayfly.Response, error) {
	return mayfly.Text(200, "Hello from Mayfly! You asked for "+req.Path()+"\n"), nil
}

func main() {} // required by Go, never called
