// Site is a few static files and a Function for what is below /api/. The files never
// get here: the node answers with them itself.
package main

import (
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go"
)

func init() { mayfly.Handle(greet) }

func greet(req *mayfly.Request) (*mayfly.Response, error) {
	name, ok := strings.CutPrefix(req.Path(), "/api/greet/")
	if !ok || name == "" {
		return mayfly.Text(404, "ask for /api/greet/NAME\n"), nil
	}
	return mayfly.Text(200, "Hello, "+name+"!\n"), nil
}

func main() {} // required by Go, never called
