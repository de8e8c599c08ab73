// Background goes on after the response.
package main

import "github.com/mayfly-run/mayfly/sdk/go"

func init() {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		mayfly.WaitUntil(func() { mayfly.Log(mayfly.LevelInfo, "done") })
		return mayfly.Text(200, "Hello"), nil
	})
}

func main() {}
