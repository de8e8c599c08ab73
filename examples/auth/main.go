// Auth tells whose a token is, to other Functions that ask.
package main

import (
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go"
)

func init() { mayfly.Handle(whoami) }

// users are the owners of tokens; a real Function would look in KV.
var users = map[string]string{"alice-token": "alice", "bob-token": "bob"}

func whoami(req *mayfly.Request) (*mayfly.Response, error) {
	token, _ := strings.CutPrefix(req.Header("authorization"), "Bearer ")
	user, ok := users[token]
	if !ok {
		return mayfly.Text(401, "no such token\n"), nil
	}
	return mayfly.Text(200, user), nil
}

func main() {} // required by Go, never called
